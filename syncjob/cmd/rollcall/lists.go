package main

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/rollcall-go/rollcall/handlers"
	"github.com/rollcall-go/rollcall/store/actions"
	"github.com/rollcall-go/rollcall/syncjob"
	"github.com/rollcall-go/rollcall/syncjob/states"
)

// jobColumns describe a job with its newest run.
var jobColumns = []column[states.Job]{
	{"job", func(s states.Job) any { return s.Name }},
	{"type", func(s states.Job) any { return s.Type }},
	{"state", func(s states.Job) any {
		switch {
		case s.Disabled:
			return "disabled"
		case s.Run == nil:
			return ""
		}
		return runState(*s.Run)
	}},
	{"tasks", onRunOf(func(r *states.Run) any { return r.Counts.Total })},
	{"left", onRunOf(func(r *states.Run) any { return r.Counts.Remaining() })},
	{"failed", onRunOf(func(r *states.Run) any { return r.Counts.Failed })},
	{"retried", onRunOf(func(r *states.Run) any { return r.Retried })},
	{"began", onRunOf(func(r *states.Run) any { return r.Created })},
}

func onRunOf(cell func(*states.Run) any) func(states.Job) any {
	return func(s states.Job) any {
		if s.Run == nil {
			return nil
		}
		return cell(s.Run)
	}
}

// lists are the commands that list what there is.
func (a *app) lists() []*cobra.Command {
	return []*cobra.Command{
		a.jobs(),
		a.job(),
		a.schedules(),
		a.queues(), a.activity(),
		a.workers(),
		a.sets(),
		a.pauses(),
		a.history(), a.audit(), a.semaphores(), a.limitsInForce(),
		a.valuesOf(),
	}
}

func (a *app) jobs() *cobra.Command {
	var o syncjob.JobsOptions
	var group string
	c := a.command(
		"jobs",
		"List jobs with their newest runs",
		cobra.NoArgs,
		false,
		func(ctx context.Context, _ []string) error {
			o.Group = syncjob.Group(group)
			return list(a, a.m.Jobs(ctx, &o), jobColumns)
		},
	)
	c.Flags().StringVar(&group, "group", "", "only single-pass, periodic, standing, stopped, finished or active jobs")
	c.Flags().StringVar(&o.Prefix, "prefix", "", "only jobs whose name begins so")
	c.Flags().StringVar(&o.After, "after", "", "begin after this name")
	return c
}

func (a *app) job() *cobra.Command {
	return a.command(
		"job JOB",
		"Show one job with its newest run",
		cobra.ExactArgs(1),
		false,
		func(ctx context.Context, args []string) error {
			s, err := a.m.State(ctx, args[0])
			if err != nil {
				return err
			}
			return one(a, s, append(jobColumns[:len(jobColumns):len(jobColumns)],
				column[states.Job]{"next due", func(s states.Job) any { return s.NextDue }},
				column[states.Job]{"skipped", func(s states.Job) any { return s.Skipped }},
				column[states.Job]{"problem", func(s states.Job) any { return s.Problem }},
				column[states.Job]{"last error", onRunOf(func(r *states.Run) any { return r.LastError })},
			))
		},
	)
}

func (a *app) schedules() *cobra.Command {
	return a.command(
		"schedules",
		"List periodic jobs and when they are due",
		cobra.NoArgs,
		false,
		func(ctx context.Context, _ []string) error {
			return list(
				a,
				a.m.Jobs(ctx, &syncjob.JobsOptions{Group: syncjob.GroupPeriodic}),
				[]column[states.Job]{
					{"job", func(s states.Job) any { return s.Name }},
					{"schedule", func(s states.Job) any {
						if s.Schedule == nil {
							return nil
						}
						return s.Schedule.String()
					}},
					{"next due", func(s states.Job) any { return s.NextDue }},
					{"skipped", func(s states.Job) any { return s.Skipped }},
					{"disabled", func(s states.Job) any { return s.Disabled }},
					{"problem", func(s states.Job) any { return s.Problem }},
				},
			)
		},
	)
}

// route is a line about queues: a queue, and what one handler has in it.
type route struct {
	Queue string `json:"queue"`
	states.Route
}

func (a *app) queues() *cobra.Command {
	return a.command(
		"queues",
		"List queues with tasks, by handler",
		cobra.NoArgs,
		false,
		func(ctx context.Context, _ []string) error {
			queues, err := a.m.Queues(ctx)
			if a.output != "table" {
				return list(a, slice(queues, err), []column[states.Queue]{})
			}
			var routes []route
			for _, q := range queues {
				for _, r := range q.Routes {
					routes = append(routes, route{q.Name, r})
				}
			}
			return list(a, slice(routes, err), []column[route]{
				{"queue", func(r route) any { return r.Queue }},
				{"set", func(r route) any { return r.Set }},
				{"kind", func(r route) any { return r.Kind }},
				{"waiting", func(r route) any { return r.Waiting }},
				{"held", func(r route) any { return r.Held }},
				{"delayed", func(r route) any { return r.Delayed + r.Retrying }},
				{"running", func(r route) any { return r.Running }},
				{"failed", func(r route) any { return r.Failed }},
				{"oldest", func(r route) any { return r.Oldest }},
				{"state", func(r route) any {
					switch {
					case len(r.Paused) > 0:
						return "paused"
					case r.Unserved:
						return "unserved"
					}
					return ""
				}},
			})
		},
	)
}

func (a *app) workers() *cobra.Command {
	lost := false
	c := a.command(
		"workers",
		"List the workers that are alive",
		cobra.NoArgs,
		false,
		func(ctx context.Context, _ []string) error {
			if lost {
				gone, err := a.m.LostWorkers(ctx)
				return list(a, slice(gone, err), []column[states.LostWorker]{
					{"worker", func(w states.LostWorker) any { return w.Name }},
					{"host", func(w states.LostWorker) any { return w.Host }},
					{"version", func(w states.LostWorker) any { return w.Version }},
					{"held", func(w states.LostWorker) any { return w.Held }},
					{"given up", func(w states.LostWorker) any { return w.Ended }},
					{"why", func(w states.LostWorker) any { return w.Reason }},
					{"back", func(w states.LostWorker) any { return w.Back }},
				})
			}
			alive, err := a.m.Workers(ctx)
			return list(a, slice(alive, err), []column[states.Worker]{
				{"worker", func(w states.Worker) any { return w.Name }},
				{"host", func(w states.Worker) any { return w.Host }},
				{"version", func(w states.Worker) any { return w.Version }},
				{"configured", func(w states.Worker) any { return configured(w) }},
				{"queues", func(w states.Worker) any { return strings.Join(w.Queues, ", ") }},
				{"slots", func(w states.Worker) any { return w.Concurrency }},
				{"holds", func(w states.Worker) any { return w.Held }},
				{"started", func(w states.Worker) any { return w.Started }},
				{"state", func(w states.Worker) any {
					if w.Overdue {
						return "overdue"
					}
					return w.Status
				}},
			})
		},
	)
	c.Flags().BoolVar(&lost, "lost", false, "list those that were lost within the last day")
	return c
}

func (a *app) sets() *cobra.Command {
	return a.command(
		"sets",
		"List the handler sets that workers have published",
		cobra.NoArgs,
		false,
		func(ctx context.Context, _ []string) error {
			sets, err := a.m.Sets(ctx)
			return list(a, slice(sets, err), []column[handlers.SetDescription]{
				{"set", func(d handlers.SetDescription) any { return d.Name }},
				{"kinds", func(d handlers.SetDescription) any {
					names := make([]string, len(d.Kinds))
					for i, k := range d.Kinds {
						names[i] = k.Name
					}
					return strings.Join(names, ", ")
				}},
				{"pre-job", func(d handlers.SetDescription) any { return d.PreJob }},
				{"post-job", func(d handlers.SetDescription) any { return d.PostJob }},
				{"runs in read-only mode", func(d handlers.SetDescription) any { return d.RunsInReadOnly }},
			})
		},
	)
}

func (a *app) pauses() *cobra.Command {
	return a.command(
		"pauses",
		"List what is paused",
		cobra.NoArgs,
		false,
		func(ctx context.Context, _ []string) error {
			mode, err := a.m.Mode(ctx)
			if err != nil {
				return err
			}
			if mode == syncjob.ModeReadOnly && a.output == "table" {
				a.say("The namespace is read-only.")
			}
			pauses, err := a.m.Pauses(ctx)
			return list(a, slice(pauses, err), []column[states.Pause]{
				{"what", func(p states.Pause) any { return p.Scope.String() }},
				{"since", func(p states.Pause) any { return p.Since }},
				{"by", func(p states.Pause) any { return p.By }},
				{"why", func(p states.Pause) any { return p.Reason }},
			})
		},
	)
}

func (a *app) history() *cobra.Command {
	return a.command(
		"history SET",
		"List the last changes of the configuration of a handler set",
		cobra.ExactArgs(1),
		false,
		func(ctx context.Context, args []string) error {
			changes, err := a.m.History(ctx, args[0], nil)
			return list(a, slice(changes, err), []column[syncjob.ConfigurationChange]{
				{"version", func(c syncjob.ConfigurationChange) any { return c.Version }},
				{"when", func(c syncjob.ConfigurationChange) any { return c.At }},
				{"by", func(c syncjob.ConfigurationChange) any { return c.By }},
				{"why", func(c syncjob.ConfigurationChange) any { return c.Reason }},
			})
		},
	)
}

func (a *app) audit() *cobra.Command {
	var o syncjob.AuditOptions
	var action string
	c := a.command(
		"audit [JOB]", "List who changed what, the newest first", cobra.MaximumNArgs(1), false,
		func(ctx context.Context, args []string) error {
			if len(args) == 1 {
				o.Job = args[0]
			}
			o.Action = actions.Action(action)
			return list(a, a.m.Audit(ctx, &o), []column[states.AuditEntry]{
				{"when", func(e states.AuditEntry) any { return e.At }},
				{"by", func(e states.AuditEntry) any { return e.By }},
				{"action", func(e states.AuditEntry) any { return e.Action }},
				{"job", func(e states.AuditEntry) any { return e.Job }},
				{"run", func(e states.AuditEntry) any { return positive64(e.Run) }},
				{"subject", func(e states.AuditEntry) any { return e.Subject }},
				{"why", func(e states.AuditEntry) any { return e.Reason }},
			})
		},
	)
	c.Flags().StringVar(&o.By, "by", "", "only what this actor did")
	c.Flags().StringVar(&action, "action", "", "only this action")
	return c
}

func positive64(n int64) any {
	if n <= 0 {
		return nil
	}
	return n
}

// configured tells the versions of the configurations that a worker has in force.
func configured(w states.Worker) string {
	var all []string
	for _, set := range slices.Sorted(maps.Keys(w.Configurations)) {
		all = append(all, fmt.Sprintf("%s %d", set, w.Configurations[set]))
	}
	return strings.Join(all, ", ")
}
