// Package syncjobtest runs jobs in tests. It makes a manager and workers with a store in memory.
// They work inside a testing/synctest bubble: there, delays, backoffs and leases pass as fast as
// the bubble's clock.
package syncjobtest

import (
	"context"
	"errors"
	"fmt"
	"testing"

	"github.com/rollcall-go/rollcall/handlers"
	"github.com/rollcall-go/rollcall/internal/lifecycle"
	"github.com/rollcall-go/rollcall/store/memstore"
	"github.com/rollcall-go/rollcall/syncjob"
	"github.com/rollcall-go/rollcall/syncjob/states"
)

// Options configure a [Kit].
type Options struct {
	// Config of the manager. New replaces its Registry. Defaults to the zero Config.
	Config syncjob.Config
	// WorkerConfig of each worker. Name defaults to "syncjobtest"; from the second worker on, a number
	// is added to it. Grace defaults to none.
	WorkerConfig syncjob.WorkerConfig
	// Workers is how many workers run, or [NoWorkers], for example if a test runs its own. Defaults to
	// 1.
	Workers int
}

// NoWorkers means no workers.
const NoWorkers = -1

// Kit is a manager and workers of its own store in memory, for one test.
type Kit struct {
	// Manager of the jobs.
	Manager *syncjob.Manager
	// Workers that run the tasks. New started them.
	Workers []*syncjob.Worker

	tb testing.TB
}

// errEnded is the cause with which the workers end.
var errEnded = errors.New("test ended")

// New returns a kit with running workers. By default they serve all queues of the registry. Nil
// options mean all defaults. The kit ends before the test does, and its handlers with it: a handler
// that does not return then fails the test. Options that are not valid also fail the test. If the
// test uses a synctest bubble, call New inside of it.
func New(tb testing.TB, reg *handlers.Registry, opts *Options) *Kit {
	tb.Helper()
	var o Options
	if opts != nil {
		o = *opts
	}
	o.Config.Registry = reg
	if o.Workers == 0 {
		o.Workers = 1
	}
	m, err := syncjob.New(memstore.New(nil), o.Config)
	if err != nil {
		tb.Fatalf("syncjobtest: %v", err)
	}
	k := &Kit{Manager: m, tb: tb}
	for i := range max(0, o.Workers) {
		w, err := m.NewWorker(o.worker(i))
		if err != nil {
			tb.Fatalf("syncjobtest: %v", errors.Join(err, m.Close()))
		}
		k.Workers = append(k.Workers, w)
	}
	group := lifecycle.New(context.Background())
	failed := make([]error, len(k.Workers))
	for i, w := range k.Workers {
		group.Go(func(ctx context.Context) { failed[i] = w.Run(ctx) })
	}
	tb.Cleanup(func() {
		group.Stop(errEnded)
		if err := errors.Join(errors.Join(failed...), m.Close()); err != nil {
			tb.Errorf("syncjobtest: %v", err)
		}
	})
	return k
}

// worker returns the configuration of one worker.
func (o *Options) worker(i int) syncjob.WorkerConfig {
	cfg := o.WorkerConfig
	if cfg.Name == "" {
		cfg.Name = "syncjobtest"
	}
	if i > 0 {
		cfg.Name = fmt.Sprintf("%s-%d", cfg.Name, i+1)
	}
	if cfg.Grace == 0 {
		cfg.Grace = syncjob.NoGrace
	}
	return cfg
}

// Run starts a run of the job and waits for its end. It fails the test if one of the two is
// impossible. The test must check how the run ended.
func (k *Kit) Run(job syncjob.Job) states.Run {
	k.tb.Helper()
	run, err := k.Manager.Start(k.tb.Context(), job, nil)
	if err != nil {
		k.tb.Fatalf("syncjobtest: %v", err)
	}
	final, err := run.Wait(k.tb.Context())
	if err != nil {
		k.tb.Fatalf("syncjobtest: %v", err)
	}
	return final
}
