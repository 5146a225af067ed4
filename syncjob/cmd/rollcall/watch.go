package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/schollz/progressbar/v3"
	"github.com/spf13/cobra"

	"github.com/rollcall-go/rollcall/syncjob"
	"github.com/rollcall-go/rollcall/syncjob/states"
)

// refresh is how often the live screen is read again, and the shortest time between two lines about
// a run.
const refresh = time.Second

func (a *app) watch() *cobra.Command {
	number := int64(0)
	c := a.command(
		"watch [JOB]",
		"Follow a run until it has ended, or everything on one live screen",
		cobra.MaximumNArgs(1),
		true,
		func(ctx context.Context, args []string) error {
			if len(args) == 0 {
				return a.screen(ctx)
			}
			r, err := a.m.Run(args[0], number), error(nil)
			if number == 0 {
				r, err = a.m.Latest(ctx, args[0])
			}
			if err != nil {
				return err
			}
			return a.follow(ctx, r)
		},
	)
	c.Flags().Int64Var(&number, "run", 0, "`number` of the run (default the newest)")
	return c
}

// follow shows the progress of a run: a bar on a terminal, else a line now and then.
func (a *app) follow(ctx context.Context, r *syncjob.Run) error {
	var bar *progressbar.ProgressBar
	if terminal(a.out) && a.output == "table" {
		bar = progressbar.NewOptions64(
			1,
			progressbar.OptionSetWriter(a.out),
			progressbar.OptionShowCount(),
			progressbar.OptionSetPredictTime(
				true,
			),
			progressbar.OptionShowIts(),
			progressbar.OptionSetItsString("tasks"),
		)
	}
	last := time.Time{}
	for s, err := range r.Watch(ctx) {
		switch {
		case err != nil && errors.Is(err, context.Canceled):
			return nil // the user has seen enough; the run goes on
		case err != nil:
			return err
		case s.Status.Final():
			if bar != nil {
				_ = bar.Clear()
			}
			return a.ended(s)
		case bar != nil:
			bar.Describe(string(s.Status))
			bar.ChangeMax64(max(1, s.Counts.Total))
			_ = bar.Set64(s.Counts.Done())
		case time.Since(last) >= refresh:
			last = time.Now()
			if a.output != "table" {
				if err := one(a, s, nil); err != nil {
					return err
				}
				continue
			}
			a.say(
				"%s: %d of %s, %d failed, %.1f/s",
				string(s.Status),
				s.Counts.Done(),
				many(s.Counts.Total, "task"),
				s.Counts.Failed,
				s.Rate,
			)
		}
	}
	return nil
}

// shown is how many lines a part of the live screen has.
const shown = 15

// screen shows everything, again and again, until ctx ends.
func (a *app) screen(ctx context.Context) error {
	for ctx.Err() == nil { // until the user has seen enough
		var b bytes.Buffer
		if err := a.draw(ctx, &b); err != nil {
			fmt.Fprintf(&b, "\n%s\n", syncjob.Printable(err.Error()))
		}
		if terminal(a.out) {
			_, _ = fmt.Fprint(a.out, "\x1b[H\x1b[2J") // to the top, and clear
		}
		if _, err := b.WriteTo(a.out); err != nil {
			return err
		}
		select {
		case <-ctx.Done():
		case <-time.After(refresh):
		}
	}
	return nil
}

// draw writes one screen.
func (a *app) draw(ctx context.Context, b *bytes.Buffer) error {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	part := *a
	part.columns, part.out, part.output, part.limit = a.width(), b, "table", shown
	workers, workersErr := a.m.Workers(ctx)
	slots, held := 0, 0
	for _, w := range workers {
		slots, held = slots+w.Concurrency, held+w.Held
	}
	mode, modeErr := a.m.Mode(ctx)
	fmt.Fprintf(
		b,
		"%s  %s  %s, %d of %s in use\n\n",
		time.Now().Format(time.TimeOnly),
		mode,
		many(len(workers), "worker"),
		min(held, slots),
		many(slots, "slot"),
	)
	queues, queuesErr := a.m.Queues(ctx)
	fmt.Fprintln(b, "QUEUES")
	err := list(&part, slice(queues, queuesErr), []column[states.Queue]{
		{"queue", func(q states.Queue) any { return q.Name }},
		{"waiting", func(q states.Queue) any { return q.Waiting }},
		{"held", func(q states.Queue) any { return q.Held }},
		{"delayed", func(q states.Queue) any { return q.Delayed + q.Retrying }},
		{"running", func(q states.Queue) any { return q.Running }},
		{"failed", func(q states.Queue) any { return q.Failed }},
		{"oldest", func(q states.Queue) any { return q.Oldest }},
		{"unserved", func(q states.Queue) any { return q.Unserved }},
	})
	fmt.Fprintln(b, "\nACTIVE JOBS")
	return errors.Join(
		workersErr,
		modeErr,
		err,
		list(&part, a.m.Jobs(ctx, &syncjob.JobsOptions{Group: syncjob.GroupActive}), jobColumns),
	)
}
