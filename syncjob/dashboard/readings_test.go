package dashboard_test

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/rollcall-go/rollcall/internal/redistest"
	"github.com/rollcall-go/rollcall/internal/scene"
	"github.com/rollcall-go/rollcall/store"
	"github.com/rollcall-go/rollcall/syncjob"
	"github.com/rollcall-go/rollcall/syncjob/states"
)

// reading is a call of the library that reads what there is. It returns how many entries it read,
// and the longest time that it took to the first of them, or from one to the next: a page takes no
// longer.
type reading struct {
	name string
	read func(context.Context) (entries int, page time.Duration, err error)
}

// listed reads a listing, or as much of it as most entries.
func listed[T any](name string, most int, list func(context.Context) iter.Seq2[T, error]) reading {
	return reading{name, func(ctx context.Context) (n int, page time.Duration, err error) {
		last := time.Now()
		for _, err := range list(ctx) {
			if err != nil {
				return n, page, err
			}
			page = max(page, time.Since(last))
			if n++; n == most {
				return n, page, nil
			}
			last = time.Now()
		}
		return n, max(page, time.Since(last)), nil
	}}
}

// single reads in one call.
func single[T any](name string, read func(context.Context) (T, error), entries func(T) int) reading {
	return reading{name, func(ctx context.Context) (int, time.Duration, error) {
		begun := time.Now()
		v, err := read(ctx)
		return entries(v), time.Since(begun), err
	}}
}

func count[T any](all []T) int { return len(all) }

func one[T any](T) int { return 1 }

// readings are all that an operator reads of a store.
func readings(m *syncjob.Manager, failed, big *syncjob.Run, task, large string) []reading {
	const page = 1000
	return []reading{
		single("queues", m.Queues, count),
		listed("jobs by name", 0, func(ctx context.Context) iter.Seq2[states.Job, error] { return m.Jobs(ctx, nil) }),
		listed("jobs by change", page, func(ctx context.Context) iter.Seq2[states.Job, error] {
			return m.Jobs(ctx, &syncjob.JobsOptions{ByChange: true})
		}),
		listed("jobs by status", page, func(ctx context.Context) iter.Seq2[states.Job, error] {
			return m.Jobs(ctx, &syncjob.JobsOptions{Statuses: []states.Status{states.Succeeded}})
		}),
		listed("jobs by prefix", page, func(ctx context.Context) iter.Seq2[states.Job, error] {
			return m.Jobs(ctx, &syncjob.JobsOptions{Prefix: "job/0001"})
		}),
		listed("jobs by label", page, func(ctx context.Context) iter.Seq2[states.Job, error] {
			return m.Jobs(ctx, &syncjob.JobsOptions{Labels: map[string]string{"tenant": "none"}})
		}),
		listed("runs", 0, func(ctx context.Context) iter.Seq2[states.Run, error] { return m.Runs(ctx, nil) }),
		listed("runs that ended", page, func(ctx context.Context) iter.Seq2[states.Run, error] {
			return m.Runs(ctx, &syncjob.RunsOptions{Statuses: syncjob.FinalStatuses})
		}),
		listed("runs that stand", page, func(ctx context.Context) iter.Seq2[states.Run, error] {
			return m.Runs(ctx, &syncjob.RunsOptions{Still: time.Millisecond, Oldest: true})
		}),
		listed("tasks of a run", 20*page, func(ctx context.Context) iter.Seq2[states.Task, error] { return big.Tasks(ctx, nil) }),
		listed("tasks, running", page, func(ctx context.Context) iter.Seq2[states.Task, error] {
			return big.Tasks(ctx, &syncjob.TasksOptions{State: states.TaskRunning})
		}),
		single("one task", big.Task(task).State, one),
		single("one of 1 MiB", big.Task(large).State, one),
		single("explain a run", big.Explain, one),
		single("run", big.State, one),
		single("timeline", big.Timeline, count),
		listed("failures of a run", 0, func(ctx context.Context) iter.Seq2[states.Failure, error] { return failed.Failures(ctx, nil) }),
		listed("failures", page, func(ctx context.Context) iter.Seq2[states.Failure, error] { return m.Failures(ctx, nil) }),
		single("failure groups", func(ctx context.Context) (states.FailureGroups, error) { return m.FailureGroups(ctx, nil) }, one),
		single("workers", m.Workers, count),
		single("lost workers", m.LostWorkers, count),
		single("limits", m.Limits, count),
		single("pauses", m.Pauses, count),
		single("sets", m.Sets, count),
		listed("semaphores", page, func(ctx context.Context) iter.Seq2[states.Semaphore, error] { return m.Semaphores(ctx, nil) }),
		listed("values", page, func(ctx context.Context) iter.Seq2[states.Value, error] {
			return m.ListValues(ctx, store.NamespaceScope(0), nil)
		}),
		single("activity", func(ctx context.Context) ([]states.ActivitySeries, error) { return m.Activity(ctx, nil) }, count),
		listed("audit", page, func(ctx context.Context) iter.Seq2[states.AuditEntry, error] { return m.Audit(ctx, nil) }),
		listed("watch", 1, func(ctx context.Context) iter.Seq2[syncjob.Topic, error] { return m.Watch(ctx) }),
	}
}

// TestReadingsAreQuickAtAnySize reads everything alone, to know what it costs the server, and again
// while workers run tasks. With ROLLCALL_STORM=1 there are 10,000 jobs and a million tasks, of which
// each 10,000th has 1 MiB. Then no command may take 10 ms, and no page 50 ms in the median: run that
// on a quiet machine.
func TestReadingsAreQuickAtAnySize(t *testing.T) {
	server := redistest.Start(t, nil)
	n := sizeNow()
	p := scene.Open(t, server.URL())
	c := crowd(t, p, n)
	large := p.Enqueued(c.big, leaf{Note: strings.Repeat("x", 1<<20-100)}, nil)
	all := readings(p.M, c.failed, c.big, c.task, large)
	costs := make([]cost, len(all))
	pages := make([]cost, len(all))
	entries := make([]int, len(all))
	read := func(i int) (took, page time.Duration) {
		begun := time.Now()
		n, page, err := all[i].read(t.Context())
		if !errors.Is(err, syncjob.ErrTaskNotFound) { // it has been run
			require.NoError(t, err, all[i].name)
		}
		entries[i] = max(entries[i], n)
		return time.Since(begun), page
	}
	for i := range all {
		before := usage(t, server)
		read(i)
		costs[i].add(usage(t, server), before)
	}
	p.Work()
	require.NoError(t, server.Do(t.Context(), "CONFIG", "SET", "slowlog-log-slower-than", "10000", "slowlog-max-len", "1000"))
	require.NoError(t, server.Do(t.Context(), "SLOWLOG", "RESET"))
	for range n.rounds {
		for i := range all {
			took, page := read(i)
			costs[i].took, pages[i].took = append(costs[i].took, took), append(pages[i].took, page)
		}
	}
	slow, err := server.Client.Do(t.Context(), server.Client.B().SlowlogLen().Build()).AsInt64()
	require.NoError(t, err)
	var table strings.Builder
	fmt.Fprintf(
		&table,
		"%-18s %7s %8s %8s %8s %8s %8s %9s\n",
		"reading",
		"entries",
		"p50 ms",
		"p95 ms",
		"page p50",
		"page p95",
		"commands",
		"Redis µs",
	)
	for i := range all {
		a, b := &costs[i], &pages[i]
		fmt.Fprintf(&table, "%-18s %7d %8.1f %8.1f %8.1f %8.1f %8d %9d\n", all[i].name, entries[i],
			a.quantile(50), a.quantile(95), b.quantile(50), b.quantile(95), a.commands, a.cpu.Microseconds())
	}
	t.Logf("%d jobs, %d tasks, workers under load; %d commands took over 10 ms\n%s", n.jobs, n.tasks, slow, &table)
	if os.Getenv("ROLLCALL_STORM") == "" {
		return // a few entries are read at once whatever the library does
	}
	require.Zero(t, slow)
	for i := range all {
		if entries[i] > 0 { // what selects nothing looks at all, page by page
			require.LessOrEqual(t, pages[i].quantile(50), 50.0, all[i].name)
		}
	}
}
