package main

import (
	"cmp"
	"context"
	"iter"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/rollcall-go/rollcall/syncjob"
	"github.com/rollcall-go/rollcall/syncjob/states"
)

const (
	// maxOffered is how many names are offered.
	maxOffered = 100
	// completeTime is how long somebody waits who has pressed the tab key.
	completeTime = 2 * time.Second
)

// names lists names from the store that begin so. args are the arguments before it.
type names func(ctx context.Context, a *app, args []string, begin string) iter.Seq2[string, error]

// places are the arguments of commands, as their Use calls them.
var places = map[string]names{
	"JOB":    jobNames,
	"TASK":   taskNames,
	"ID":     taskNames,
	"HOLD":   holdNames,
	"SET":    setNames,
	"WORKER": workerNames,
	"PREFIX": semaphoreNames,
}

// complete offers what an argument may be.
func (a *app) complete(c *cobra.Command, args []string, begin string) ([]string, cobra.ShellCompDirective) {
	words := strings.Fields(c.Use)[1:]
	if len(args) >= len(words) {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	word := strings.Trim(words[len(args)], "[]")
	if fixed := strings.Split(word, "|"); len(fixed) > 1 {
		return fixed, cobra.ShellCompDirectiveNoFileComp
	}
	return a.offer(c, places[word], args, begin)
}

// offer reads names from the store.
func (a *app) offer(c *cobra.Command, list names, args []string, begin string) ([]string, cobra.ShellCompDirective) {
	if list == nil {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	ctx, cancel := context.WithTimeout(c.Context(), completeTime)
	defer cancel()
	if a.connect(ctx) != nil {
		return nil, cobra.ShellCompDirectiveError
	}
	var found []string
	for name, err := range list(ctx, a, args, begin) {
		if err != nil || len(found) == maxOffered {
			break
		}
		if strings.HasPrefix(name, begin) && !slices.Contains(found, name) {
			found = append(found, name)
		}
	}
	return found, cobra.ShellCompDirectiveNoFileComp
}

// flags are what flags may be, by their names: words that are known, or names from the store.
var (
	flagWords = map[string][]string{
		"output": {"table", "json", "jsonl"},
		"group":  {"single-pass", "periodic", "standing", "stopped", "finished", "active"},
		"state":  {"waiting", "held", "delayed", "retrying", "running", "expired", "failed"},
		"status": statusWords(),
		"last":   {"1h", "8h", "72h", "2160h"},
	}
	flagNames = map[string]names{
		"queue": queueNames, "set": setNames, "kind": kindNames, "worker": workerNames, "run": runNumbers, "prefix": jobNames,
	}
)

func statusWords() []string {
	words := []string{"active", "ended"}
	for _, s := range slices.Concat(syncjob.ActiveStatuses, syncjob.FinalStatuses) {
		words = append(words, string(s))
	}
	return words
}

// completeFlags lets flags of all commands be completed.
func (a *app) completeFlags(c *cobra.Command) {
	for _, sub := range append(c.Commands(), c) {
		for flag, words := range flagWords {
			if sub.Flag(flag) != nil {
				_ = sub.RegisterFlagCompletionFunc(flag, cobra.FixedCompletions(words, cobra.ShellCompDirectiveNoFileComp))
			}
		}
		for flag, list := range flagNames {
			if sub.Flag(flag) == nil {
				continue
			}
			if flag == "prefix" && sub.Name() == "semaphores" {
				list = semaphoreNames
			}
			_ = sub.RegisterFlagCompletionFunc(flag,
				func(c *cobra.Command, args []string, begin string) ([]string, cobra.ShellCompDirective) {
					return a.offer(c, list, args, begin)
				})
		}
	}
}

// named makes names of things.
func named[T any](things iter.Seq2[T, error], name func(T) string) iter.Seq2[string, error] {
	return func(yield func(string, error) bool) {
		for thing, err := range things {
			if !yield(name(thing), err) || err != nil {
				return
			}
		}
	}
}

func jobNames(ctx context.Context, a *app, _ []string, begin string) iter.Seq2[string, error] {
	jobs := a.m.Jobs(ctx, &syncjob.JobsOptions{Prefix: begin})
	return named(jobs, func(s states.Job) string { return s.Name })
}

func semaphoreNames(ctx context.Context, a *app, _ []string, begin string) iter.Seq2[string, error] {
	keys := a.m.Semaphores(ctx, &syncjob.SemaphoresOptions{Prefix: begin, Limit: maxOffered})
	return named(keys, func(s states.Semaphore) string { return s.Key })
}

func workerNames(ctx context.Context, a *app, _ []string, _ string) iter.Seq2[string, error] {
	workers, err := a.m.Workers(ctx)
	return named(slice(workers, err), func(w states.Worker) string { return cmp.Or(w.Name, w.ID) })
}

func setNames(ctx context.Context, a *app, _ []string, _ string) iter.Seq2[string, error] {
	var all []string
	sets, err := a.m.Sets(ctx)
	for _, s := range sets {
		all = append(all, s.Name)
	}
	return slice(all, err)
}

func kindNames(ctx context.Context, a *app, _ []string, _ string) iter.Seq2[string, error] {
	var all []string
	sets, err := a.m.Sets(ctx)
	for _, s := range sets {
		for _, k := range s.Kinds {
			all = append(all, k.Name)
		}
	}
	return slice(all, err)
}

func queueNames(ctx context.Context, a *app, _ []string, _ string) iter.Seq2[string, error] {
	queues, err := a.m.Queues(ctx)
	return named(slice(queues, err), func(q states.Queue) string { return q.Name })
}

func runNumbers(ctx context.Context, a *app, args []string, _ string) iter.Seq2[string, error] {
	if len(args) == 0 {
		return slice[string](nil, nil)
	}
	runs, err := a.m.JobRuns(ctx, args[0])
	return named(slice(runs, err), func(r *syncjob.Run) string { return strconv.FormatInt(r.Number(), 10) })
}

func taskNames(ctx context.Context, a *app, args []string, _ string) iter.Seq2[string, error] {
	r, err := a.m.Latest(ctx, args[0])
	if err != nil {
		return slice[string](nil, err)
	}
	tasks := r.Tasks(ctx, &syncjob.TasksOptions{Limit: 10 * maxOffered})
	return named(tasks, func(t states.Task) string { return t.ID })
}

func holdNames(ctx context.Context, a *app, args []string, _ string) iter.Seq2[string, error] {
	var all []string
	r, err := a.m.Latest(ctx, args[0])
	if err != nil {
		return slice(all, err)
	}
	why, err := r.Explain(ctx)
	for _, h := range why.Holds {
		all = append(all, h.Name)
	}
	return slice(all, err)
}
