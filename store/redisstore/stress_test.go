package redisstore_test

import (
	"cmp"
	"context"
	"flag"
	"fmt"
	"math/rand/v2"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/rollcall-go/rollcall/store"
	"github.com/rollcall-go/rollcall/store/bounds"
	"github.com/rollcall-go/rollcall/store/redisstore"
	"github.com/rollcall-go/rollcall/store/verdicts"
)

// stress is everything at once, from several stores as if from several processes. It checks that
// counts balance at every read, repeats answer as the first time did, every run ends, and nothing
// stays behind.
type stress struct {
	*scene
	over context.Context // ends the disorder, not the calls in flight
	seed uint64
	ids  atomic.Int64
	runs sync.Map // store.RunID → true, of those not known to have ended
}

// The sizes of the stress test.
const (
	stressTime    = 3 * time.Second
	stressStores  = 4
	stressWorkers = 8
	stressRuns    = 12
	stressLease   = 300 * time.Millisecond
)

var stressSeed = flag.Uint64("stress.seed", 0, "choices of the stress test; 0 for any")

var stressKinds = []string{"a", "b", "c", store.KindPreJob, store.KindPostJob}

func TestNothingIsLostOrLeftUnderStress(t *testing.T) {
	seed := cmp.Or(*stressSeed, rand.Uint64())
	t.Logf("-stress.seed=%d repeats the choices; the order of events still varies", seed)
	over, cancel := context.WithTimeout(t.Context(), stressTime)
	defer cancel()
	s := &stress{scene: newScene(t), over: over, seed: seed}
	var stores []store.Store
	for range stressStores {
		stores = append(stores, open(t, s.server.URL(), redisstore.Config{Namespace: s.namespace}))
	}
	var actors sync.WaitGroup
	for i := range uint64(stressWorkers) {
		a := s.actor(stores[i%stressStores], i)
		actors.Go(func() { a.work(fmt.Sprint("worker-", i)) })
	}
	for i := range uint64(2) {
		a := s.actor(stores[i], 100+i)
		actors.Go(func() { a.produce(fmt.Sprint("producer-", i)) })
	}
	for i := range uint64(3) {
		a := s.actor(stores[i], 200+i)
		actors.Go(a.operate)
	}
	actors.Wait()
	s.drain()
	s.tidy()
	t.Logf("%d tasks and runs", s.ids.Load())
}

// check fails the test without ending it: it may be called by any goroutine.
func (s *stress) check(what string, err error) {
	if err != nil {
		s.Errorf("%s: %v", what, err)
	}
}

// each visits the runs that are not known to have ended.
func (s *stress) each(visit func(store.RunID)) {
	s.runs.Range(func(key, _ any) bool {
		visit(key.(store.RunID))
		return true
	})
}

// drain resumes and seals every run and works them off.
func (s *stress) drain() {
	ctx, cancel := context.WithTimeout(s.Context(), 30*time.Second)
	defer cancel()
	var seal []store.HoldChange
	s.each(func(run store.RunID) {
		_ = s.SetRunPaused(ctx, run, false) // it may have ended
		for _, name := range []string{store.HoldOpen, "h0", "h1", "h2"} {
			seal = append(seal, store.HoldChange{Run: run, Name: name, Close: true})
		}
	})
	_, err := s.Enqueue(ctx, store.EnqueueParams{Stream: "producer", Number: 1, Holds: seal})
	require.NoError(s, err)
	w := s.worker("drain")
	for left := true; left; {
		_, err := s.Promote(ctx, 0)
		require.NoError(s, err)
		_, err = s.Sweep(ctx, 0)
		require.NoError(s, err)
		var outcomes []store.Outcome
		for _, d := range w.fetchRecovered(bounds.MaxBatch, stressKinds...) {
			outcomes = append(outcomes, outcomeOf(d, verdicts.Success))
		}
		if len(outcomes) > 0 {
			w.settle(outcomes...)
		}
		left = false
		s.each(func(run store.RunID) {
			record, err := s.Run(ctx, run)
			if err != nil || record.Status.Final() {
				s.runs.Delete(run)
				return
			}
			left = true
			if ctx.Err() != nil {
				in, err := s.Inspect(s.Context(), run)
				s.Fatalf("run %v does not end: %+v, %v", run, in, err)
			}
		})
	}
	w.die()
}

// tidy sweeps until retention, claimed IDs and dead sessions are over.
func (s *stress) tidy() {
	ctx, cancel := context.WithTimeout(s.Context(), 30*time.Second)
	defer cancel()
	for left := []string{""}; len(left) > 0; {
		require.NoError(s, ctx.Err(), "left behind: %s", strings.Join(left, ", "))
		_, err := s.Sweep(s.Context(), 0)
		require.NoError(s, err)
		left = leftovers(s, s.Store)
	}
}
