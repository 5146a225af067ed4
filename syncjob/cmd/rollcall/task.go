package main

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/rollcall-go/rollcall/syncjob"
	"github.com/rollcall-go/rollcall/syncjob/states"
)

func ofTask(r *syncjob.Run, id string) answer { return answer{Job: r.Job(), Run: r.Number(), Task: id} }

func (a *app) cancel() *cobra.Command {
	return a.onRun(
		"cancel JOB TASK", "Cancel one task: it does not begin, or is not tried again", cobra.ExactArgs(2), false,
		func(ctx context.Context, r *syncjob.Run, args []string) error {
			what := "Task " + syncjob.Printable(args[0]) + " of " + syncjob.Printable(numbered(r)) + " is cancelled."
			if err := a.sure(what); err != nil {
				return err
			}
			result, err := r.Task(args[0]).Cancel(ctx)
			switch {
			case err != nil:
				return err
			case result == syncjob.CancelNotFound:
				return syncjob.ErrTaskNotFound
			}
			a.did(ofTask(r, args[0]), "%s: task %s", string(result), args[0])
			return nil
		},
	)
}

func (a *app) runNow() *cobra.Command {
	return a.onRun(
		"run-now JOB TASK", "Run a task now that waits for a time", cobra.ExactArgs(2), false,
		func(ctx context.Context, r *syncjob.Run, args []string) error {
			if err := r.Task(args[0]).RunNow(ctx); err != nil {
				return err
			}
			a.did(ofTask(r, args[0]), "task %s is due now", args[0])
			return nil
		},
	)
}

func (a *app) reschedule() *cobra.Command {
	return a.onRun(
		"reschedule JOB TASK TIME", "Let a task wait until 2030-01-31T08:00:00Z, or 90m from now",
		cobra.ExactArgs(3), false,
		func(ctx context.Context, r *syncjob.Run, args []string) error {
			at, err := moment(args[1])
			if err != nil {
				return err
			}
			if err := r.Task(args[0]).Reschedule(ctx, at); err != nil {
				return err
			}
			a.did(ofTask(r, args[0]), "task %s is due %s", args[0], cell(at))
			return nil
		},
	)
}

// redo makes retry and discard.
func (a *app) redo(
	verb, short string, danger bool,
	move func(*syncjob.Run, context.Context, *syncjob.RetryOptions) (syncjob.RetryResult, error),
	moveAll func(*syncjob.Manager, context.Context, *syncjob.BulkOptions) (states.BulkResult, error),
) *cobra.Command {
	var o syncjob.RetryOptions
	do := func(ctx context.Context, r *syncjob.Run, _ []string) error {
		if danger {
			s, err := r.State(ctx)
			if err == nil {
				err = a.sure(counted(s))
			}
			if err != nil {
				return err
			}
		}
		done, err := move(r, ctx, &o)
		if err != nil {
			return err
		}
		about := answer{Job: r.Job(), Run: r.Number(), Tasks: done.Moved}
		a.did(about, "%s of %s: %s", many(done.Moved, "failed task"), numbered(r), verb)
		return nil
	}
	c := a.onRun(verb+" JOB", short, cobra.ExactArgs(1), true, do)
	f := c.Flags()
	f.StringSliceVar(&o.Kinds, "kind", nil, "only tasks of these kinds")
	f.StringSliceVar(&o.IDs, "id", nil, "only tasks with these IDs")
	f.IntVar(&o.Rate, "rate", 0, "at most so many in a second (default no limit)")
	all := words{verb + " the failed tasks of", strings.Replace(verb+"ed", "yed", "ied", 1) + " the failed tasks of"}
	return a.alsoMany(c, all, func(ctx context.Context, many *syncjob.BulkOptions) (states.BulkResult, error) {
		return moveAll(a.m, ctx, many)
	}, func(many *syncjob.BulkOptions) { many.Kinds, many.Rate = o.Kinds, o.Rate })
}

func (a *app) retry() *cobra.Command {
	return a.redo("retry", "Let failed tasks of an active run wait again", false, (*syncjob.Run).Retry,
		(*syncjob.Manager).RetryAll)
}

func (a *app) discard() *cobra.Command {
	return a.redo("discard", "Give up failed tasks of an active run: they count as cancelled",
		true, (*syncjob.Run).Discard, (*syncjob.Manager).DiscardAll)
}

// moment reads a time, or how far away it is.
func moment(text string) (time.Time, error) {
	if d, err := time.ParseDuration(text); err == nil {
		return time.Now().Add(d), nil
	}
	at, err := time.Parse(time.RFC3339, text)
	if err != nil {
		return at, usageError{fmt.Errorf("%q is neither a time as 2030-01-31T08:00:00Z nor a duration as 90m", text)}
	}
	return at, nil
}
