package main

import (
	"cmp"
	"context"
	"fmt"
	"strings"
	"time"
)

// scenario is one kind of work. Its rows in the tables bear its name, or begin with it.
type scenario struct {
	name  string
	limit time.Duration // a trial that takes longer fails
	aof   bool          // measured on a server with an append-only file, too
	once  bool          // in the first round only: it mostly waits
	run   func(ctx context.Context, t *trial) error
}

var scenarios = []scenario{
	{name: "enqueue-one", limit: time.Minute, aof: true, run: enqueueOne(producers)},
	{name: "enqueue-one-1", limit: time.Minute, run: enqueueOne(1)},
	{name: "enqueue-one-100", limit: time.Minute, run: enqueueOne(100)},
	{name: "enqueue-batch", limit: time.Minute, aof: true, run: enqueueBatch},
	{name: "drain-10", limit: time.Minute, run: drainAt(10)},
	{name: "drain-100", limit: time.Minute, aof: true, run: drainAt(100)},
	{name: "both", limit: time.Minute, run: bothAtOnce},
	{name: "tree", limit: 2 * time.Minute, run: tree},
	{name: "jobs", limit: 2 * time.Minute, run: manyJobs},
	{name: "waiting", limit: 2 * time.Minute, run: waiting},
	{name: "pickup", limit: time.Minute, once: true, run: pickup},
	{name: "delayed", limit: time.Minute, once: true, run: delayed},
	{name: "memory", limit: time.Minute, once: true, run: memory},
	{name: "slow", limit: time.Minute, run: slowHandlers},
	{name: "handlers-1ms-10", limit: time.Minute, run: handlersOf(time.Millisecond, 10)},
	{name: "handlers-1ms-100", limit: time.Minute, run: handlersOf(time.Millisecond, 100)},
	{name: "handlers-10ms-10", limit: time.Minute, run: handlersOf(10*time.Millisecond, 10)},
	{name: "handlers-10ms-100", limit: time.Minute, run: handlersOf(10*time.Millisecond, 100)},
	{name: "handlers-100ms-10", limit: time.Minute, run: handlersOf(100*time.Millisecond, 10)},
	{name: "handlers-100ms-100", limit: time.Minute, run: handlersOf(100*time.Millisecond, 100)},
	{name: "idle", limit: 2 * time.Minute, once: true, run: idle},
	{name: "stop", limit: 2 * time.Minute, run: stop},
	{name: "list", limit: time.Minute, once: true, run: list},
	{name: "watch", limit: time.Minute, run: watch},
	{name: "large", limit: time.Minute, once: true, run: large},
}

func selectScenarios(prefixes string) ([]scenario, error) {
	if prefixes == "" {
		return scenarios, nil
	}
	var out []scenario
	for prefix := range strings.SplitSeq(prefixes, ",") {
		found := false
		for _, sc := range scenarios {
			if strings.HasPrefix(sc.name, prefix) {
				out, found = append(out, sc), true
			}
		}
		if !found {
			return nil, fmt.Errorf("no scenario begins with %q", prefix)
		}
	}
	return out, nil
}

// sizes says how much of everything is measured.
type sizes struct {
	n        int           // tasks
	jobs     int           // jobs of 10 tasks, and jobs that are listed
	tree     int           // children of the root, and of each of them
	waiting  int           // tasks that wait where many do
	samples  int           // latencies
	workers  int           // where idle ones are measured
	idle     time.Duration // for how long they are
	watchers int
	slow     int           // handlers of 10 ms each
	busy     time.Duration // for how long every slot has handlers
	large    int           // payloads at the limit
}

func fullSizes(n int) sizes {
	return sizes{
		n: cmp.Or(n, 300_000), jobs: 10_000, tree: 1000, waiting: 1_000_000, samples: 1000, workers: 10,
		idle: 20 * time.Second, watchers: 100, slow: 4000, busy: 2 * time.Second, large: 200,
	}
}

func quickSizes(n int) sizes {
	return sizes{
		n: cmp.Or(n, 30_000), jobs: 500, tree: 100, waiting: 50_000, samples: 60, workers: 10,
		idle: 4 * time.Second, watchers: 100, slow: 1000, busy: 500 * time.Millisecond, large: 20,
	}
}

// tinySizes shows that everything works.
func tinySizes() sizes {
	return sizes{
		n: 600, jobs: 12, tree: 20, waiting: 2000, samples: 3, workers: 2,
		idle: 10 * time.Millisecond, watchers: 3, slow: 40, busy: 20 * time.Millisecond, large: 3,
	}
}

// of is the sizes for one peer.
func (s sizes) of(o opener) sizes {
	if o.slow {
		s.n, s.samples, s.idle = max(s.n/10, 1), max(s.samples/20, 1), s.idle/2
		s.busy /= 10
	}
	return s
}

// only is an error unless the peer is Rollcall, for scenarios that nobody else knows.
func (t *trial) only() (*rollcall, error) {
	r, ok := t.peer.(*rollcall)
	if !ok {
		return nil, errUnsupported
	}
	return r, nil
}
