package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"iter"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/rollcall-go/rollcall/enqueue"
	"github.com/rollcall-go/rollcall/syncjob"
)

// parseArgs makes a task of arguments that the caller has encoded.
func parseArgs(kind, text string) (enqueue.Item, error) {
	if !json.Valid([]byte(text)) {
		return enqueue.Item{}, usageError{fmt.Errorf("the arguments are no JSON: %s", text)}
	}
	return enqueue.Raw(kind, json.RawMessage(text), nil), nil
}

// producers are the commands that give work.
func (a *app) producers() []*cobra.Command {
	return []*cobra.Command{a.start(), a.enqueue()}
}

func (a *app) start() *cobra.Command {
	var set, kind, args, key string
	var open, join, follow bool
	var deadline time.Duration
	c := a.command(
		"start JOB",
		"Start a run of a single-pass job",
		cobra.ExactArgs(1),
		false,
		func(ctx context.Context, names []string) error {
			job := syncjob.Job{Name: names[0], Set: set, Open: open, Deadline: deadline}
			if kind != "" {
				root, err := parseArgs(kind, args)
				if err != nil {
					return err
				}
				job.Root = root
			}
			o := syncjob.StartOptions{Key: key}
			if join {
				o.IfActive = syncjob.IfActiveJoin
			}
			r, err := a.m.Start(ctx, job, &o)
			if err != nil {
				return err
			}
			if follow && a.output == "json" { // one document: that of the run at its end
				s, err := r.Wait(ctx)
				if err != nil {
					return err
				}
				return a.ended(s)
			}
			if r.Existing() {
				a.did(answer{Job: r.Job(), Run: r.Number(), Existing: true}, "found %s", numbered(r))
			} else {
				a.saidOf(r, "started %s", numbered(r))
			}
			if !follow {
				return nil
			}
			s, err := r.Wait(ctx)
			if err != nil {
				return err
			}
			return a.ended(s)
		},
	)
	f := c.Flags()
	f.StringVar(&set, "set", "", "handler set that runs its tasks (required)")
	f.StringVar(&kind, "kind", "", "kind of the first task")
	f.StringVar(&args, "args", "{}", "arguments of the first task, as `JSON`")
	f.BoolVar(&open, "open", false, "keep the run open until it is sealed")
	f.DurationVar(&deadline, "deadline", 0, "stop the run if it is still active so long after its start")
	f.StringVar(&key, "key", "", "makes it safe to repeat: the same key gives the same run")
	f.BoolVar(&join, "join", false, "if a run is active, name it instead of refusing")
	f.BoolVar(&follow, "wait", false, "wait until it has ended, within --timeout; the exit code is its status")
	return c
}

func (a *app) enqueue() *cobra.Command {
	var kind, args, file string
	var o enqueue.Options
	var expires time.Duration
	c := a.command(
		"enqueue JOB",
		"Add tasks to the active run of a job",
		cobra.ExactArgs(1),
		false,
		func(ctx context.Context, names []string) error {
			if kind == "" {
				return usageError{errors.New("which kind of task? Set --kind")}
			}
			if expires != 0 {
				o.Expires = time.Now().Add(expires)
			}
			if file != "" {
				sum, err := a.m.EnqueueAll(ctx, names[0], a.items(kind, file, o), nil)
				a.did(answer{Job: names[0], Tasks: int64(sum.Enqueued)},
					"added %s to %s, %d were there already", many(sum.Enqueued, "task"), names[0], sum.Duplicates)
				return err
			}
			raw, err := parseArgs(kind, args)
			if err != nil {
				return err
			}
			receipt, err := a.m.Enqueue(ctx, names[0], raw, &o)
			if err != nil {
				return err
			}
			if receipt.Duplicate {
				a.did(answer{Job: names[0], Task: receipt.ID, Existing: true}, "the run has task %s already", receipt.ID)
			} else {
				a.did(answer{Job: names[0], Task: receipt.ID}, "added task %s", receipt.ID)
			}
			return nil
		},
	)
	f := c.Flags()
	f.StringVar(&kind, "kind", "", "kind of the tasks (required)")
	f.StringVar(&args, "args", "{}", "arguments, as `JSON`")
	f.StringVarP(&file, "file", "f", "", "`file` with the arguments of one task in each line; - for standard input")
	f.StringVar(&o.ID, "id", "", "ID of the task: makes it safe to repeat")
	f.StringVar(&o.Queue, "queue", "", "queue to wait in (default that of the kind)")
	f.DurationVar(&o.Delay, "delay", 0, "time before the task may start")
	f.DurationVar(&expires, "expires", 0, "time after which the task is not begun any more (default never)")
	return c
}

// items reads tasks, one a line.
func (a *app) items(kind, file string, o enqueue.Options) iter.Seq2[enqueue.Item, error] {
	return func(yield func(enqueue.Item, error) bool) {
		all, err := a.read(file)
		if err != nil {
			yield(enqueue.Item{}, err)
			return
		}
		lines := bufio.NewScanner(strings.NewReader(string(all)))
		lines.Buffer(nil, 16<<20)
		for lines.Scan() {
			text := strings.TrimSpace(lines.Text())
			if text == "" {
				continue
			}
			raw, err := parseArgs(kind, text)
			if !yield(enqueue.Task(raw, &o), err) || err != nil {
				return
			}
		}
		if err := lines.Err(); err != nil {
			yield(enqueue.Item{}, err)
		}
	}
}
