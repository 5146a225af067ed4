// Package syncjobtest runs jobs in tests: a manager and workers on memory, that work
// inside a testing/synctest bubble, where delays, backoffs and leases pass as fast as
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
)

// Options alter a [Kit].
type Options struct {
	// Config of the manager, whose Registry is that of the call. Defaults to the zero Config.
	Config syncjob.Config
	// WorkerConfig of each worker. Its Name defaults to "syncjobtest", with a number behind it from
	// the second worker on, and its Grace to none.
	WorkerConfig syncjob.WorkerConfig
	// Workers is how many there are; [NoWorkers] for none, as where a test runs its own. Defaults to
	// 1.
	Workers int
}

// NoWorkers is a number of workers: none.
const NoWorkers = -1

// Kit is a manager and workers of its own store in memory, for one test.
type Kit struct {
	// Manager to start jobs with.
	Manager *syncjob.Manager
	// Workers that run them since New.
	Workers []*syncjob.Worker

	tb testing.TB
}

// errEnded is why the workers end.
var errEnded = errors.New("test ended")

// New returns a kit whose workers consume every queue of the registry, unless the options say
// otherwise; nil options mean all defaults. It ends, handlers included, before the test does; a
// handler that does not return by then fails the test, and so do options that are not valid. Inside
// a bubble, call it there.
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

// worker is the configuration of one of the workers.
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

// Run starts a run of the job and waits for its end. It fails the test if either is
// impossible; how the run ended is for the test to judge.
func (k *Kit) Run(job syncjob.Job) syncjob.RunState {
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
