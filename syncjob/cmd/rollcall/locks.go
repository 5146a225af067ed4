package main

import (
	"context"
	"errors"
	"fmt"
	"iter"

	"github.com/spf13/cobra"

	"github.com/rollcall-go/rollcall/handlers"
	"github.com/rollcall-go/rollcall/store"
	"github.com/rollcall-go/rollcall/syncjob"
	"github.com/rollcall-go/rollcall/syncjob/states"
)

// seat is a line about a semaphore: a lease, or a place in the line.
type seat struct {
	key, holder, state string
	exclusive          bool
	since, until       any
}

func (a *app) semaphores() *cobra.Command {
	var o syncjob.SemaphoresOptions
	c := a.command(
		"semaphores", "List semaphores in use, with holders and waiters", cobra.NoArgs, false,
		func(ctx context.Context, _ []string) error {
			o.Limit = a.limit
			found := a.m.Semaphores(ctx, &o)
			if a.output != "table" {
				return list(a, found, nil)
			}
			return list(a, seats(found), []column[seat]{
				{"semaphore", func(s seat) any { return s.key }},
				{"who", func(s seat) any { return s.holder }},
				{"state", func(s seat) any { return s.state }},
				{"alone", func(s seat) any { return s.exclusive }},
				{"since", func(s seat) any { return s.since }},
				{"until", func(s seat) any { return s.until }},
			})
		},
	)
	c.Flags().StringVar(&o.Prefix, "prefix", "", "only keys that begin so")
	return c
}

// seats makes a line of each holder and waiter.
func seats(found iter.Seq2[states.Semaphore, error]) iter.Seq2[seat, error] {
	return func(yield func(seat, error) bool) {
		for s, err := range found {
			if err != nil {
				yield(seat{}, err)
				return
			}
			for _, h := range s.Holders {
				if !yield(seat{s.Key, h.Holder, "holds", h.Exclusive, h.Acquired, h.Expires}, nil) {
					return
				}
			}
			for _, w := range s.Waiters {
				if !yield(seat{s.Key, w.Holder, "waits", w.Exclusive, w.Since, nil}, nil) {
					return
				}
			}
		}
	}
}

func (a *app) limitsInForce() *cobra.Command {
	return a.command(
		"limits", "List limits in force, and how much of them is used", cobra.NoArgs, false,
		func(ctx context.Context, _ []string) error {
			found, err := a.m.Limits(ctx)
			return list(a, slice(found, err), []column[states.LimitUse]{
				{"set", func(l states.LimitUse) any { return l.Set }},
				{"kind", func(l states.LimitUse) any { return l.Kind }},
				{"at once", func(l states.LimitUse) any { return positive(l.MaxRunning) }},
				{"a run", func(l states.LimitUse) any { return positive(l.MaxRunningPerJob) }},
				{"rate", func(l states.LimitUse) any { return rate(l.Rate) }},
				{"held", func(l states.LimitUse) any { return l.Held }},
				{"workers", func(l states.LimitUse) any { return len(l.Users) }},
			})
		},
	)
}

func positive(n int) any {
	if n <= 0 {
		return nil
	}
	return n
}

func rate(r handlers.Rate) any {
	if r.Events <= 0 {
		return nil
	}
	return fmt.Sprintf("%d in %s", r.Events, r.Per)
}

func (a *app) valuesOf() *cobra.Command {
	var o syncjob.ValuesOptions
	number := int64(0)
	c := a.command(
		"values [JOB]", "List the values of a job, of a run, or of the namespace",
		cobra.MaximumNArgs(1), false,
		func(ctx context.Context, args []string) error {
			scope := store.NamespaceScope(0)
			switch {
			case len(args) == 0 && number > 0:
				return usageError{errors.New("--run needs the job")}
			case number > 0:
				scope = store.RunScope(a.m.Run(args[0], number).ID())
			case len(args) == 1:
				scope = store.JobScope(args[0])
			}
			o.Limit = a.limit
			return list(a, a.m.ListValues(ctx, scope, &o), []column[states.Value]{
				{"value", func(v states.Value) any { return v.Name }},
				{"type", func(v states.Value) any { return v.Type }},
				{"size", func(v states.Value) any { return v.Size }},
				{"expires", func(v states.Value) any { return v.Expires }},
			})
		},
	)
	c.Flags().StringVar(&o.Prefix, "prefix", "", "only names that begin so")
	c.Flags().Int64Var(&number, "run", 0, "`number` of the run whose values to list")
	return c
}

func (a *app) releaseSemaphores() *cobra.Command {
	return a.command(
		"release PREFIX", "End all leases of semaphores whose keys begin so", cobra.ExactArgs(1), false,
		func(ctx context.Context, args []string) error {
			would, err := a.m.ReleaseSemaphores(ctx, args[0], a.reason, &syncjob.ReleaseOptions{DryRun: true})
			if err != nil {
				return err
			}
			leases := 0
			for _, s := range would {
				leases += len(s.Holders)
			}
			if err := a.sure(many(leases, "lease") + " of " + many(len(would), "semaphore") + " would end."); err != nil {
				return err
			}
			released, err := a.m.ReleaseSemaphores(ctx, args[0], a.reason, nil)
			if err == nil {
				a.say("released %s", many(len(released), "semaphore"))
			}
			return err
		},
	)
}
