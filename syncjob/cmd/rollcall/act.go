package main

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"github.com/rollcall-go/rollcall/syncjob"
	"github.com/rollcall-go/rollcall/syncjob/states"
)

// actions are the commands that change something.
func (a *app) actions() []*cobra.Command {
	return []*cobra.Command{
		a.stop(), a.pause(), a.resume(), a.seal(), a.enable(), a.trigger(), a.redrive(), a.deletion(),
		a.configure(), a.reset(), a.mode(), a.retry(), a.discard(), a.accept(), a.repeatPostJob(), a.cancel(), a.runNow(), a.reschedule(),
		a.release(), a.releaseSemaphores(), a.repair(),
	}
}

// counted says how many tasks a run has, for the question before something is stopped.
func counted(s states.Run) string {
	return fmt.Sprintf(
		"Run %d of %s is %s: %s running, %d waiting, %d failed.",
		s.Number,
		syncjob.Printable(s.Job),
		s.Status,
		many(s.Counts.Running, "task"),
		s.Counts.Pending+s.Counts.Delayed,
		s.Counts.Failed,
	)
}

func (a *app) stop() *cobra.Command {
	o := syncjob.StopOptions{}
	c := a.command(
		"stop JOB",
		"Stop the active run of a job, and a declared job until it is enabled",
		cobra.ExactArgs(1),
		false,
		func(ctx context.Context, args []string) error {
			s, err := a.m.State(ctx, args[0])
			if err != nil {
				return err
			}
			if s.Active() {
				if err := a.sure(counted(*s.Run)); err != nil {
					return err
				}
			}
			o.Reason = a.reason
			if err := a.m.Stop(ctx, args[0], &o); err != nil {
				return err
			}
			a.did(answer{Job: args[0]}, "stopped %s", args[0])
			return nil
		},
	)
	c.Flags().BoolVar(&o.Graceful, "graceful", false, "let running handlers finish")
	return a.alsoMany(c, words{"stop", "stopped"}, func(ctx context.Context, o *syncjob.BulkOptions) (states.BulkResult, error) {
		return a.m.StopAll(ctx, o)
	}, func(many *syncjob.BulkOptions) { many.Graceful = o.Graceful })
}

// scopeFlags adds the flags of a scope.
func scopeFlags(c *cobra.Command, s *syncjob.Scope) {
	c.Flags().StringVar(&s.Queue, "queue", "", "tasks of this queue")
	c.Flags().StringVar(&s.Set, "set", "", "tasks of this handler set")
	c.Flags().StringVar(&s.Kind, "kind", "", "tasks of this kind")
}

// ofJobOrScope makes pause and resume: they are about the newest run of a job, or about a scope.
func (a *app) ofJobOrScope(
	verb, short string,
	job func(context.Context, string) error,
	scope func(context.Context, syncjob.Scope) error,
) *cobra.Command {
	var s syncjob.Scope
	c := a.command(
		verb+" [JOB]",
		short,
		cobra.MaximumNArgs(1),
		false,
		func(ctx context.Context, args []string) error {
			switch {
			case len(args) == 1 && s == syncjob.Scope{}:
				if err := job(ctx, args[0]); err != nil {
					return err
				}
				a.did(answer{Job: args[0]}, "%sd %s", verb, args[0])
				return nil
			case len(args) == 0 && s != syncjob.Scope{}:
				if err := scope(ctx, s); err != nil {
					return err
				}
				a.say("%sd %s", verb, s.String())
				return nil
			}
			return usageError{errors.New("name a job, or give --queue, --set or --kind")}
		},
	)
	scopeFlags(c, &s)
	return c
}

func (a *app) pause() *cobra.Command {
	c := a.ofJobOrScope("pause", "Hold back the tasks of a run, or of a queue, set or kind",
		func(ctx context.Context, job string) error { return a.m.PauseJob(ctx, job) },
		func(ctx context.Context, s syncjob.Scope) error { return a.m.Pause(ctx, s, a.reason) })
	return a.alsoMany(c, words{"pause", "paused"}, func(ctx context.Context, o *syncjob.BulkOptions) (states.BulkResult, error) {
		return a.m.PauseAll(ctx, o)
	}, nil)
}

func (a *app) resume() *cobra.Command {
	worker := ""
	c := a.ofJobOrScope("resume", "End a pause",
		func(ctx context.Context, job string) error { return a.m.ResumeJob(ctx, job) },
		func(ctx context.Context, s syncjob.Scope) error { return a.m.Resume(ctx, s) })
	c.Flags().StringVar(&worker, "worker", "", "a worker that is quiet or drains, by name or ID, in place of a job")
	pauses := c.RunE
	c.RunE = func(c *cobra.Command, args []string) error {
		if worker == "" || len(args) > 0 {
			return pauses(c, args)
		}
		ctx, cancel := a.within(c.Context(), false)
		defer cancel()
		if err := a.connect(ctx); err != nil {
			return err
		}
		if err := a.m.Worker(worker).Resume(ctx); err != nil {
			return err
		}
		a.say("resumed worker %s", worker)
		return nil
	}
	return a.alsoMany(c, words{"resume", "resumed"}, func(ctx context.Context, o *syncjob.BulkOptions) (states.BulkResult, error) {
		return a.m.ResumeAll(ctx, o)
	}, nil)
}

// ofWorkers are the commands about workers of a name, or about the one of an ID.
func (a *app) ofWorkers() []*cobra.Command {
	of := func(verb, short, done string, do func(*syncjob.WorkerRef, context.Context) error) *cobra.Command {
		return a.command(
			verb+" WORKER",
			short,
			cobra.ExactArgs(1),
			false,
			func(ctx context.Context, args []string) error {
				if err := do(a.m.Worker(args[0]), ctx); err != nil {
					return err
				}
				a.say("worker %s "+done, args[0])
				return nil
			},
		)
	}
	return []*cobra.Command{
		of("quiet", "Let a worker fetch nothing more, until it is resumed", "is quiet", (*syncjob.WorkerRef).Quiet),
		of("drain", "Let a worker end when it runs nothing more", "is draining", (*syncjob.WorkerRef).Drain),
	}
}

func (a *app) seal() *cobra.Command {
	return a.onRun("seal JOB", "Let an open run end when its last task has ended", cobra.ExactArgs(1), false,
		func(ctx context.Context, r *syncjob.Run, _ []string) error {
			if err := r.Seal(ctx); err != nil {
				return err
			}
			a.saidOf(r, "sealed %s", numbered(r))
			return nil
		})
}

// decided makes a command that lets a run go on that is held for its failures.
func (a *app) decided(use, short, done string, do func(*syncjob.Run, context.Context) error) *cobra.Command {
	return a.onRun(use, short, cobra.ExactArgs(1), false, func(ctx context.Context, r *syncjob.Run, _ []string) error {
		if err := do(r, ctx); err != nil {
			return err
		}
		a.saidOf(r, done+" %s", numbered(r))
		return nil
	})
}

func (a *app) accept() *cobra.Command {
	return a.decided(
		"accept JOB",
		"Let a run end that is held for its failures",
		"accepted the failures of",
		(*syncjob.Run).Accept,
	)
}

func (a *app) repeatPostJob() *cobra.Command {
	return a.decided("repeat-post-job JOB", "Run the post-job hook again that gave up and holds the run",
		"the hook waits again:", (*syncjob.Run).RepeatPostJob)
}

func (a *app) enable() *cobra.Command {
	c := a.command("enable JOB", "Let a declared job run again after it was stopped", cobra.ExactArgs(1), false,
		func(ctx context.Context, args []string) error {
			if err := a.m.Enable(ctx, args[0]); err != nil {
				return err
			}
			a.did(answer{Job: args[0]}, "enabled %s", args[0])
			return nil
		})
	return a.alsoMany(c, words{"enable", "enabled"}, func(ctx context.Context, o *syncjob.BulkOptions) (states.BulkResult, error) {
		return a.m.EnableAll(ctx, o)
	}, nil)
}

func (a *app) trigger() *cobra.Command {
	return a.command("trigger JOB", "Start a run of a periodic job now", cobra.ExactArgs(1), false,
		func(ctx context.Context, args []string) error {
			r, err := a.m.TriggerNow(ctx, args[0])
			if err != nil {
				return err
			}
			a.saidOf(r, "started %s", numbered(r))
			return nil
		})
}

func (a *app) redrive() *cobra.Command {
	var o syncjob.RedriveOptions
	c := a.onRun(
		"redrive JOB",
		"Run the failed tasks of a finished run again, in a new run",
		cobra.ExactArgs(1),
		false,
		func(ctx context.Context, r *syncjob.Run, _ []string) error {
			again, err := r.Redrive(ctx, &o)
			if err != nil {
				return err
			}
			a.saidOf(again, "started %s", numbered(again))
			return nil
		},
	)
	f := c.Flags()
	f.StringSliceVar(&o.Kinds, "kind", nil, "only tasks of these kinds")
	f.StringSliceVar(&o.IDs, "id", nil, "only tasks with these IDs")
	f.BoolVar(&o.AllowPartial, "partial", false, "also if more tasks failed than the run keeps")
	f.StringVar(&o.Key, "key", "", "another key runs the same tasks a second time")
	return c
}

func (a *app) deletion() *cobra.Command {
	number := int64(0)
	c := a.command("delete JOB", "Remove a job with all its runs, or one finished run", cobra.ExactArgs(1), false,
		func(ctx context.Context, args []string) error {
			if number > 0 {
				r := a.m.Run(args[0], number)
				s, err := r.State(ctx)
				if err == nil {
					err = a.sure(counted(s))
				}
				if err == nil {
					err = r.Delete(ctx)
				}
				if err == nil {
					a.saidOf(r, "deleted %s", numbered(r))
				}
				return err
			}
			runs, err := a.m.JobRuns(ctx, args[0])
			if err == nil {
				err = a.sure(fmt.Sprintf("%s has %s.", syncjob.Printable(args[0]), many(len(runs), "run")))
			}
			if err == nil {
				err = a.m.Delete(ctx, args[0])
			}
			if err == nil {
				a.did(answer{Job: args[0]}, "deleted %s", args[0])
			}
			return err
		})
	c.Flags().Int64Var(&number, "run", 0, "`number` of the run to remove (default the job and all its runs)")
	return c
}

func (a *app) mode() *cobra.Command {
	return a.command(
		"mode [read-only|read-write]",
		"Show or set the mode of the namespace",
		cobra.MaximumNArgs(1),
		false,
		func(ctx context.Context, args []string) error {
			if len(args) == 0 {
				mode, err := a.m.Mode(ctx)
				if err == nil {
					if a.output != "table" {
						return one(a, struct {
							Mode syncjob.Mode `json:"mode"`
						}{mode}, nil)
					}
					a.say("%s", string(mode))
				}
				return err
			}
			if err := a.m.SetMode(ctx, syncjob.Mode(args[0])); err != nil {
				return err
			}
			a.say("the namespace is %s", args[0])
			return nil
		},
	)
}

func (a *app) release() *cobra.Command {
	return a.onRun(
		"release-hold JOB HOLD",
		"Remove a hold that keeps a run from ending",
		cobra.ExactArgs(2),
		false,
		func(ctx context.Context, r *syncjob.Run, args []string) error {
			what := "If the producer of hold " + syncjob.Printable(args[0]) + " still adds tasks, they will be refused."
			if err := a.sure(what); err != nil {
				return err
			}
			if err := r.ReleaseHold(ctx, args[0]); err != nil {
				return err
			}
			a.saidOf(r, "released hold %s of %s", args[0], numbered(r))
			return nil
		},
	)
}

func (a *app) repair() *cobra.Command {
	var o syncjob.RepairOptions
	c := a.command("repair JOB", "Find and fix inconsistent data of a job", cobra.ExactArgs(1), true,
		func(ctx context.Context, args []string) error {
			report, err := a.m.Repair(ctx, args[0], &o)
			if err != nil {
				return err
			}
			if a.output != "table" {
				return one(a, report, nil)
			}
			_, err = fmt.Fprintln(a.out, strings.TrimSpace(report.String())) // each line of it is safe to print
			return err
		})
	c.Flags().BoolVar(&o.DryRun, "dry-run", false, "only find it")
	return c
}
