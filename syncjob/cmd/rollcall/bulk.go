package main

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/spf13/cobra"

	"github.com/rollcall-go/rollcall/syncjob"
	"github.com/rollcall-go/rollcall/syncjob/states"
)

// bulkColumns describe a job that is, or would be, changed.
var bulkColumns = []column[states.BulkJob]{
	{"job", func(j states.BulkJob) any { return j.Job }},
	{"run", func(j states.BulkJob) any { return j.Run }},
	{"tasks", func(j states.BulkJob) any { return j.Tasks }},
	{"left", func(j states.BulkJob) any { return j.Left }},
	{"error", func(j states.BulkJob) any { return j.Error }},
}

// bulkFlags are those that select many jobs.
var bulkFlags = []string{"all", "prefix", "group", "label", "status", "held", "dry-run"}

// words say what a call does to jobs.
type words struct{ does, did string }

// alsoMany lets a command about one job also be about all jobs that flags select. more takes over
// flags of the command itself.
func (a *app) alsoMany(
	c *cobra.Command, w words,
	call func(context.Context, *syncjob.BulkOptions) (states.BulkResult, error), more func(*syncjob.BulkOptions),
) *cobra.Command {
	var o syncjob.BulkOptions
	var group string
	var statuses []string
	f := c.Flags()
	f.BoolVar(&o.All, "all", false, "every job, instead of one JOB or a selection")
	f.StringVar(&o.Jobs.Prefix, "prefix", "", "all jobs whose name begins so")
	f.StringVar(&group, "group", "", "all single-pass, periodic, standing, stopped, finished or active jobs")
	f.StringToStringVar(&o.Jobs.Labels, "label", nil, "all jobs with these labels, as `KEY=VALUE`")
	f.StringSliceVar(&statuses, "status", nil, "all jobs whose newest run has one of these statuses")
	f.BoolVar(&o.Jobs.Held, "held", false, "all jobs whose newest run is held")
	f.BoolVar(&o.DryRun, "dry-run", false, "of many jobs: only show what would be done")
	if f.Lookup("rate") == nil {
		f.IntVar(&o.Rate, "rate", 0, "of many jobs: at most so many in a second (default no limit)")
	}
	args, one := c.Args, c.RunE
	many := func() bool { return slices.ContainsFunc(bulkFlags, f.Changed) }
	c.Args = func(c *cobra.Command, list []string) error {
		if !many() {
			return args(c, list)
		}
		if len(list) > 0 {
			return usageError{errors.New("name a job, or select many by flags, not both")}
		}
		return nil
	}
	c.RunE = func(c *cobra.Command, list []string) error {
		if !many() {
			return one(c, list)
		}
		o.Jobs.Group = syncjob.Group(group)
		for _, s := range statuses {
			o.Jobs.Statuses = append(o.Jobs.Statuses, states.Status(s))
		}
		if more != nil {
			more(&o)
		}
		ctx, cancel := a.within(c.Context(), true)
		defer cancel()
		if err := a.connect(ctx); err != nil {
			return err
		}
		return a.doMany(ctx, w, o, call)
	}
	return c
}

// bulkAnswer is a result with the jobs that were, or would be, changed.
type bulkAnswer struct {
	states.BulkResult
	Jobs []states.BulkJob `json:"jobs"`
}

// doMany shows what a call would do, asks, and does it.
func (a *app) doMany(
	ctx context.Context, w words, o syncjob.BulkOptions,
	call func(context.Context, *syncjob.BulkOptions) (states.BulkResult, error),
) error {
	if !o.DryRun && !a.yes {
		dry := o
		dry.DryRun = true
		would, err := call(ctx, &dry)
		if err == nil {
			err = a.sure(
				fmt.Sprintf(
					"This would %s %s, with %s.",
					w.does,
					many(would.Changed, "job"),
					many(would.Tasks, "task"),
				),
			)
		}
		if err != nil {
			return err
		}
	}
	var jobs []states.BulkJob
	o.Progress = func(j states.BulkJob, _ states.BulkResult) {
		if (j.Did == states.BulkChanged || j.Did == states.BulkFailed) && (a.limit == 0 || len(jobs) < a.limit) {
			jobs = append(jobs, j)
		}
	}
	got, err := call(ctx, &o)
	if a.output != "table" {
		return errors.Join(one(a, bulkAnswer{got, jobs}, nil), err)
	}
	if len(jobs) > 0 {
		err = errors.Join(list(a, slice(jobs, nil), bulkColumns), err)
	}
	did := w.did
	if o.DryRun {
		did = "would " + w.does
	}
	a.say(did+" %d of %s, with %s; %d were so already, of %d there is nothing to do, %d failed",
		got.Changed, many(got.Matched, "job"), many(got.Tasks, "task"), got.Already, got.Passed, got.Failed)
	return err
}
