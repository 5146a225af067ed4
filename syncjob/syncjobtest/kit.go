// Package syncjobtest runs jobs in tests: a manager and a worker on memory, that work
// inside a testing/synctest bubble, where delays, backoffs and leases pass as fast as
// the bubble's clock.
package syncjobtest

import (
	"context"
	"errors"
	"testing"

	"github.com/rollcall-go/rollcall/handlers"
	"github.com/rollcall-go/rollcall/internal/lifecycle"
	"github.com/rollcall-go/rollcall/store/memstore"
	"github.com/rollcall-go/rollcall/syncjob"
)

// Kit is a manager and a worker of its own store in memory, for one test.
type Kit struct {
	// Manager to start jobs with.
	Manager *syncjob.Manager
	// Worker that runs them since New.
	Worker *syncjob.Worker

	tb testing.TB
}

// errEnded is why the worker ends.
var errEnded = errors.New("test ended")

// New returns a kit whose worker consumes every queue of the registry. It ends,
// handlers included, before the test does; a handler that does not return by then fails
// the test. Inside a bubble, call it there.
func New(tb testing.TB, reg *handlers.Registry) *Kit {
	tb.Helper()
	m, err := syncjob.New(memstore.New(nil), syncjob.Config{Registry: reg})
	if err != nil {
		tb.Fatalf("syncjobtest: %v", err)
	}
	w, err := m.NewWorker(syncjob.WorkerConfig{Name: "syncjobtest", Grace: syncjob.NoGrace})
	if err != nil {
		tb.Fatalf("syncjobtest: %v", errors.Join(err, m.Close()))
	}
	group := lifecycle.New(context.Background())
	var failed error
	group.Go(func(ctx context.Context) { failed = w.Run(ctx) })
	tb.Cleanup(func() {
		group.Stop(errEnded)
		if err := errors.Join(failed, m.Close()); err != nil {
			tb.Errorf("syncjobtest: %v", err)
		}
	})
	return &Kit{Manager: m, Worker: w, tb: tb}
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
