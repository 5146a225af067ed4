package main

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"github.com/rollcall-go/rollcall/syncjob"
	"github.com/rollcall-go/rollcall/syncjob/states"
)

// onRun makes a command about a run of a job: the newest, or that of --run.
func (a *app) onRun(
	use, short string,
	args cobra.PositionalArgs,
	follows bool,
	do func(ctx context.Context, r *syncjob.Run, args []string) error,
) *cobra.Command {
	number := int64(0)
	c := a.command(use, short, args, follows, func(ctx context.Context, args []string) error {
		if len(args) == 0 { // all jobs, where the command allows that
			return do(ctx, nil, nil)
		}
		if number > 0 {
			return do(ctx, a.m.Run(args[0], number), args[1:])
		}
		r, err := a.m.Latest(ctx, args[0])
		if err != nil {
			return err
		}
		return do(ctx, r, args[1:])
	})
	c.Flags().Int64Var(&number, "run", 0, "`number` of the run (default the newest)")
	return c
}

// aboutRuns are the commands that show runs and their tasks.
func (a *app) aboutRuns() []*cobra.Command {
	return []*cobra.Command{
		a.runs(),
		a.run(),
		a.explain(),
		a.timeline(),
		a.wait(),
		a.watch(),
		a.tasks(),
		a.task(),
		a.result(),
		a.failures(),
	}
}

// runColumns are those of lists: they have room in 80 columns.
var runColumns = []column[states.Run]{
	{"run", func(s states.Run) any { return s.Number }},
	{"state", func(s states.Run) any { return runState(s) }},
	{"tasks", func(s states.Run) any { return s.Counts.Total }},
	{"left", func(s states.Run) any { return s.Counts.Remaining() }},
	{"failed", func(s states.Run) any { return s.Counts.Failed }},
	{"began", func(s states.Run) any { return s.Created }},
	{"took", func(s states.Run) any { return s.Elapsed }},
}

// runState is the status of a run, and what keeps it from going on.
func runState(s states.Run) string {
	text := string(s.Status)
	if s.Paused {
		text += ", paused"
	}
	if s.Held {
		text += ", held"
	}
	return text
}

func (a *app) runs() *cobra.Command {
	var o syncjob.RunsOptions
	var statuses []string
	c := a.command(
		"runs [JOB]", "List the runs of a job, or of all jobs, the last changed first", cobra.MaximumNArgs(1), false,
		func(ctx context.Context, args []string) error {
			columns := append([]column[states.Run]{
				{"job", func(s states.Run) any { return s.Job }},
			}, runColumns...)
			if len(args) == 1 {
				if _, err := a.m.State(ctx, args[0]); err != nil {
					return err
				}
				o.Job, columns = args[0], runColumns
			}
			for _, s := range statuses {
				switch s {
				case "active":
					o.Statuses = append(o.Statuses, syncjob.ActiveStatuses...)
				case "ended":
					o.Statuses = append(o.Statuses, syncjob.FinalStatuses...)
				default:
					o.Statuses = append(o.Statuses, states.Status(s))
				}
			}
			o.Limit = a.limit
			return list(a, a.m.Runs(ctx, &o), columns)
		},
	)
	f := c.Flags()
	f.StringSliceVar(&statuses, "status", nil, "only runs that are active, have ended, or have one of these statuses")
	f.StringVar(&o.Prefix, "prefix", "", "only runs of jobs whose name begins so")
	f.StringVar(&o.Set, "set", "", "only runs of this handler set")
	f.StringToStringVar(&o.Labels, "label", nil, "only runs with these labels, as `KEY=VALUE`")
	f.DurationVar(&o.Still, "still", 0, "only active runs that have not moved for so long")
	f.BoolVar(
		&o.Held,
		"held",
		false,
		"only runs that are held for their failures, until they are retried, discarded or accepted",
	)
	f.BoolVar(&o.Oldest, "oldest", false, "those that changed least recently first")
	return c
}

func (a *app) run() *cobra.Command {
	return a.onRun(
		"run JOB",
		"Show one run of a job",
		cobra.ExactArgs(1),
		false,
		func(ctx context.Context, r *syncjob.Run, _ []string) error {
			s, err := r.State(ctx)
			if err != nil {
				return err
			}
			return one(a, s, append(append([]column[states.Run]{
				{"job", func(s states.Run) any { return s.Job }},
				{"set", func(s states.Run) any { return s.Set }},
			}, runColumns...),
				column[states.Run]{"succeeded", func(s states.Run) any { return s.Counts.Succeeded }},
				column[states.Run]{"cancelled", func(s states.Run) any { return s.Counts.Cancelled }},
				column[states.Run]{"retried", func(s states.Run) any { return s.Retried }},
				column[states.Run]{"labels", func(s states.Run) any { return pairs(s.Labels) }},
				column[states.Run]{"counters", func(s states.Run) any { return pairs(s.Counters) }},
				column[states.Run]{"a second", func(s states.Run) any { return s.Rate }},
				column[states.Run]{"done in", func(s states.Run) any { return s.ETA }},
				column[states.Run]{"deadline", func(s states.Run) any { return s.Deadline }},
				column[states.Run]{"ended", func(s states.Run) any { return s.Ended }},
				column[states.Run]{"reason", func(s states.Run) any { return s.Reason }},
				column[states.Run]{"last error", func(s states.Run) any { return s.LastError }},
				column[states.Run]{"hook error", func(s states.Run) any { return s.HookErr }},
			))
		},
	)
}

func (a *app) timeline() *cobra.Command {
	return a.onRun("timeline JOB", "Tell what happened to a run, when, and by whom", cobra.ExactArgs(1), false,
		func(ctx context.Context, r *syncjob.Run, _ []string) error {
			story, err := r.Timeline(ctx)
			return list(a, slice(story, err), []column[states.TimelineEntry]{
				{"when", func(e states.TimelineEntry) any { return e.At }},
				{"what", func(e states.TimelineEntry) any {
					return strings.TrimSpace(string(e.What) + " " + string(e.Status))
				}},
				{"subject", func(e states.TimelineEntry) any {
					if e.Run > 0 {
						return fmt.Sprintf("run %d", e.Run)
					}
					return e.Subject
				}},
				{"by", func(e states.TimelineEntry) any { return e.By }},
				{"why", func(e states.TimelineEntry) any { return e.Reason }},
			})
		})
}

func (a *app) explain() *cobra.Command {
	return a.onRun(
		"explain JOB",
		"Say what a run waits for",
		cobra.ExactArgs(1),
		false,
		func(ctx context.Context, r *syncjob.Run, _ []string) error {
			why, err := r.Explain(ctx)
			if err != nil {
				return err
			}
			if a.output != "table" {
				return one(a, why, nil)
			}
			_, err = fmt.Fprintln(a.out, strings.TrimSpace(why.String())) // each line of it is safe to print
			return err
		},
	)
}

// ended says how a run ended, and returns the exit code of wait.
func (a *app) ended(s states.Run) error {
	if a.output != "table" {
		if err := one(a, s, nil); err != nil {
			return err
		}
	} else {
		a.say("%s: %d of %s in %s, %d failed",
			string(s.Status), s.Counts.Done(), many(s.Counts.Total, "task"), cell(s.Elapsed), s.Counts.Failed)
		if s.LastError != "" {
			a.say("last error: %s", s.LastError)
		}
		if s.Reason != "" {
			a.say("reason: %s", s.Reason)
		}
	}
	switch s.Status {
	case states.Failed:
		return exit(10)
	case states.Stopped:
		return exit(11)
	case states.Skipped:
		return exit(12)
	}
	return nil
}

func (a *app) wait() *cobra.Command {
	return a.onRun("wait JOB", "Wait until a run has ended; the exit code is its status", cobra.ExactArgs(1), true,
		func(ctx context.Context, r *syncjob.Run, _ []string) error {
			s, err := r.Wait(ctx)
			if err != nil {
				return err
			}
			return a.ended(s)
		})
}

func (a *app) tasks() *cobra.Command {
	var o syncjob.TasksOptions
	var state string
	c := a.onRun("tasks JOB", "List the tasks of a run that have not succeeded", cobra.ExactArgs(1), false,
		func(ctx context.Context, r *syncjob.Run, _ []string) error {
			o.State = states.TaskStatus(state)
			o.Limit = a.limit
			return list(a, r.Tasks(ctx, &o), []column[states.Task]{
				{"task", func(t states.Task) any { return t.ID }},
				{"state", func(t states.Task) any { return t.State }},
				{"kind", func(t states.Task) any { return t.Kind }},
				{"queue", func(t states.Task) any { return t.Queue }},
				{"attempt", func(t states.Task) any { return t.Attempt }},
				{"worker", func(t states.Task) any { return t.Worker }},
				{"since", func(t states.Task) any { return t.Since }},
				{"next attempt", func(t states.Task) any { return t.NextAttempt }},
				{"error", func(t states.Task) any { return t.Error }},
			})
		})
	f := c.Flags()
	f.StringVar(&state, "state", "", "only waiting, held, delayed, retrying, running, expired or failed tasks")
	f.StringVar(&o.Kind, "kind", "", "only tasks of this kind")
	f.StringVar(&o.Queue, "queue", "", "only tasks of this queue")
	return c
}

func (a *app) task() *cobra.Command {
	payload := false
	c := a.onRun("task JOB ID", "Show one task: where it is, and its last attempts", cobra.ExactArgs(2), false,
		func(ctx context.Context, r *syncjob.Run, args []string) error {
			t, err := r.Task(args[0]).State(ctx)
			if err != nil {
				return err
			}
			if err := one(a, t, []column[states.Task]{
				{"task", func(t states.Task) any { return t.ID }},
				{"state", func(t states.Task) any { return t.State }},
				{"kind", func(t states.Task) any { return t.Kind }},
				{"queue", func(t states.Task) any { return t.Queue }},
				{"set", func(t states.Task) any { return t.Set }},
				{"since", func(t states.Task) any { return t.Since }},
				{"next attempt", func(t states.Task) any { return t.NextAttempt }},
				{"expires", func(t states.Task) any { return t.Expires }},
				{"attempt", func(t states.Task) any { return t.Attempt }},
				{"worker", func(t states.Task) any { return t.Worker }},
				{"progress", func(t states.Task) any { return t.Progress.String() }},
				{"error", func(t states.Task) any { return t.Error }},
			}); err != nil || a.output != "table" {
				return err
			}
			for _, at := range t.Attempts {
				took := ""
				if at.Took > 0 {
					took = " after " + cell(at.Took)
				}
				a.say("attempt ended %s%s at %s: %s", cell(at.Ended), took, at.Worker, at.Error)
			}
			if payload {
				a.say("arguments: %s", string(t.Payload))
			}
			return nil
		})
	c.Flags().BoolVar(&payload, "payload", false, "print the arguments, too")
	return c
}

// failureColumns are those of failures of one run, which allFailures puts behind job and run.
var failureColumns = []column[states.Failure]{
	{"number", func(f states.Failure) any { return f.Place }},
	{"attempts", func(f states.Failure) any { return f.Retry + 1 }},
	{"task", func(f states.Failure) any { return f.TaskID }},
	{"kind", func(f states.Failure) any { return f.Kind }},
	{"worker", func(f states.Failure) any { return f.Worker }},
	{"when", func(f states.Failure) any { return f.At }},
	{"error", func(f states.Failure) any { return f.Error }},
}

var allFailures = append([]column[states.Failure]{
	{"job", func(f states.Failure) any { return f.Job }},
	{"run", func(f states.Failure) any { return f.Number }},
}, failureColumns[2:]...)

func (a *app) failures() *cobra.Command {
	var o syncjob.FailuresOptions
	var prefix string
	var groups bool
	c := a.onRun(
		"failures [JOB]", "List tasks that failed for good, of one run or of all jobs",
		cobra.MaximumNArgs(1), false,
		func(ctx context.Context, r *syncjob.Run, _ []string) error {
			if r != nil && !groups {
				o.Limit = a.limit
				return list(a, r.Failures(ctx, &o), failureColumns)
			}
			all := syncjob.AllFailuresOptions{Prefix: prefix, Kinds: o.Kinds, Limit: a.limit}
			if r != nil {
				return usageError{errors.New("--groups is about all jobs; choose some with --prefix")}
			}
			if !groups {
				return list(a, a.m.Failures(ctx, &all), allFailures)
			}
			found, err := a.m.FailureGroups(ctx, &all)
			return list(a, slice(found.Groups, err), []column[states.FailureGroup]{
				{"set", func(g states.FailureGroup) any { return g.Set }},
				{"kind", func(g states.FailureGroup) any { return g.Kind }},
				{"tasks", func(g states.FailureGroup) any { return g.Count }},
				{"runs", func(g states.FailureGroup) any { return g.Runs }},
				{"newest", func(g states.FailureGroup) any { return g.Last }},
				{"error", func(g states.FailureGroup) any { return g.Error }},
			})
		},
	)
	f := c.Flags()
	f.BoolVar(&groups, "groups", false, "count the failures of all jobs by kind and error")
	f.StringVar(&prefix, "prefix", "", "only jobs whose name begins so")
	f.StringSliceVar(&o.Kinds, "kind", nil, "only tasks of these kinds")
	f.StringSliceVar(&o.IDs, "id", nil, "only tasks with these IDs, of one run")
	f.Int64Var(&o.After, "after", 0, "begin after the failure of this number, of one run")
	return c
}

// pairs writes names and values, in the order of the names.
func pairs[V any](all map[string]V) string {
	var list []string
	for _, name := range slices.Sorted(maps.Keys(all)) {
		list = append(list, fmt.Sprintf("%s=%v", name, all[name]))
	}
	return strings.Join(list, ", ")
}

// numbered names a run for people.
func numbered(r *syncjob.Run) string {
	return "run " + strconv.FormatInt(r.Number(), 10) + " of " + r.Job()
}
