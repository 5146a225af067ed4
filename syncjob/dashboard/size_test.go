package dashboard_test

import (
	"cmp"
	"context"
	"fmt"
	"iter"
	"maps"
	"net/http"
	"net/http/httptest"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/rollcall-go/rollcall/enqueue"
	"github.com/rollcall-go/rollcall/internal/redistest"
	"github.com/rollcall-go/rollcall/internal/scene"
	"github.com/rollcall-go/rollcall/syncjob"
	"github.com/rollcall-go/rollcall/syncjob/dashboard"
)

// size is how much there is to look at.
type size struct{ jobs, tasks, failures, rounds, large int }

// sizeNow is 10,000 jobs and a million tasks, of which each 10,000th has 1 MiB, where time does not
// matter.
func sizeNow() size {
	if os.Getenv("ROLLCALL_STORM") != "" {
		return size{jobs: 10_000, tasks: 1_000_000, failures: 5000, rounds: 40, large: 10_000}
	}
	return size{jobs: 40, tasks: 2000, failures: 60, rounds: 1, large: 500}
}

// Each page is made while workers run tasks, and nothing is shared with a page before it. What it
// costs is logged; with ROLLCALL_STORM=1 there are 10,000 jobs and a million tasks, and 19 of 20
// pages must take 200 ms at most.
func TestPagesAreQuickAtAnySize(t *testing.T) {
	server := redistest.Start(t, nil)
	n := sizeNow()
	p := scene.Open(t, server.URL())
	c := crowd(t, p, n)
	pages := scene.Pages(c.failed, c.big, c.task)
	costs := make(map[string]*cost)
	for name, page := range pages { // alone: what it costs the server
		c := &cost{}
		costs[name] = c
		before := usage(t, server)
		c.status = visit(t, p.M, page)
		c.add(usage(t, server), before)
	}
	p.Work()
	require.NoError(t, server.Do(t.Context(), "CONFIG", "SET", "slowlog-log-slower-than", "10000", "slowlog-max-len", "1000"))
	require.NoError(t, server.Do(t.Context(), "SLOWLOG", "RESET"))
	for range n.rounds {
		for name, page := range pages {
			begun := time.Now()
			visit(t, p.M, page)
			costs[name].took = append(costs[name].took, time.Since(begun))
		}
	}
	var table strings.Builder
	fmt.Fprintf(&table, "%-14s %8s %8s %9s %10s\n", "page", "p50 ms", "p95 ms", "commands", "Redis µs")
	for _, name := range slices.Sorted(maps.Keys(costs)) {
		c := costs[name]
		fmt.Fprintf(&table, "%-14s %8.1f %8.1f %9d %10d\n", name, c.quantile(50), c.quantile(95), c.commands, c.cpu.Microseconds())
	}
	slow, err := server.Client.Do(t.Context(), server.Client.B().SlowlogLen().Build()).AsInt64()
	require.NoError(t, err)
	t.Logf("%d jobs, %d tasks, workers under load; %d commands took over 10 ms\n%s", n.jobs, n.tasks, slow, &table)
	if n.rounds > 1 { // else the first pages, which read templates, are all there are
		require.Zero(t, slow, "no script is long")
		for name, c := range costs {
			require.LessOrEqual(t, c.quantile(95), 200.0, name)
		}
	}
}

// visit makes a page that shares nothing with others.
func visit(t *testing.T, m *syncjob.Manager, page string) int {
	w := httptest.NewRecorder()
	dashboard.New(m, open).ServeHTTP(w, httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/"+page, http.NoBody))
	require.Contains(t, []int{http.StatusOK, http.StatusNotFound}, w.Code, "%s: %s", page, w.Body)
	return w.Code
}

// cost is what a page costs.
type cost struct {
	status   int
	commands int64
	cpu      time.Duration // of the server
	took     []time.Duration
}

func (c *cost) add(after, before cost) {
	c.commands, c.cpu = after.commands-before.commands, after.cpu-before.cpu
}

// quantile is in milliseconds.
func (c *cost) quantile(percent int) float64 {
	slices.SortFunc(c.took, cmp.Compare[time.Duration])
	return float64(c.took[(len(c.took)-1)*percent/100].Microseconds()) / 1000
}

// usage reads what the server has done so far.
func usage(t *testing.T, server *redistest.Server) (u cost) {
	t.Helper()
	text, err := server.Client.Do(t.Context(), server.Client.B().Info().Section("everything").Build()).ToString()
	require.NoError(t, err)
	for line := range strings.Lines(text) {
		name, value, _ := strings.Cut(strings.TrimSpace(line), ":")
		switch name {
		case "used_cpu_user", "used_cpu_sys":
			seconds, err := strconv.ParseFloat(value, 64)
			require.NoError(t, err)
			u.cpu += time.Duration(seconds * float64(time.Second))
		case "total_commands_processed":
			u.commands, err = strconv.ParseInt(value, 10, 64)
			require.NoError(t, err)
		}
	}
	return u
}

// crowded is what there is: a run that ended with failures, one with most tasks, and one of these.
type crowded struct {
	failed, big *syncjob.Run
	task        string
}

// crowd fills the store: a tenth of the jobs has ended, others have
// tasks that wait, on many queues that nobody serves, and half of all tasks is of one run that
// does.
func crowd(t *testing.T, p *scene.Place, n size) (c crowded) {
	t.Helper()
	workers := make(chan int)
	var done sync.WaitGroup
	few := n.tasks / 2 / n.jobs
	for range 8 {
		done.Go(func() {
			for i := range workers {
				r := p.Started(fmt.Sprintf("job/%05d", i))
				if i%10 == 0 {
					require.NoError(t, r.Seal(t.Context()))
					continue
				}
				_, err := r.EnqueueAll(t.Context(), n.leaves(few, fmt.Sprintf("q-%02d", i%50)), nil)
				require.NoError(t, err)
			}
		})
	}
	for i := range n.jobs {
		workers <- i
	}
	close(workers)
	done.Wait()
	p.Nightly(t.Context(), "nightly")
	failed := p.Started("failed")
	_, err := failed.EnqueueAll(t.Context(), func(yield func(enqueue.Item, error) bool) {
		for i := range n.failures {
			if !yield(enqueue.Task(leaf{Fail: fmt.Sprintf("error %d of many", i%150)}, nil), nil) {
				return
			}
		}
	}, nil)
	require.NoError(t, err)
	ctx, stop := context.WithCancel(t.Context())
	w, err := p.M.NewWorker(syncjob.WorkerConfig{Name: "w0", Grace: syncjob.NoGrace})
	require.NoError(t, err)
	ran := make(chan error, 1)
	go func() { ran <- w.Run(ctx) }()
	p.Ended(failed)
	stop()
	require.NoError(t, <-ran)
	big := p.Started("big")
	task := p.Enqueued(big, leaf{Note: "in front"}, &enqueue.Options{Queue: "q-00"})
	_, err = big.EnqueueAll(t.Context(), n.leaves(n.tasks/2, ""), nil)
	require.NoError(t, err)
	return crowded{failed, big, task}
}

// made is how many tasks there are, so that some are large wherever they go.
var made atomic.Int64

// leaves are tasks for a queue.
func (n size) leaves(count int, queue string) iter.Seq2[enqueue.Item, error] {
	return func(yield func(enqueue.Item, error) bool) {
		for range count {
			task := leaf{Nap: time.Millisecond}
			if made.Add(1)%int64(n.large) == 0 {
				task.Note = strings.Repeat("x", 1<<20-100)
			}
			if !yield(enqueue.Task(task, &enqueue.Options{Queue: queue}), nil) {
				return
			}
		}
	}
}
