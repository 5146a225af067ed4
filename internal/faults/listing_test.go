package faults

import (
	"context"
	"iter"
	"sync"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/rollcall-go/rollcall/store"
	"github.com/rollcall-go/rollcall/syncjob"
	"github.com/rollcall-go/rollcall/syncjob/states"
)

// requireListedElsewhere requires that each listing has what the partitions that answer have, names
// the others behind it, and does not wait for them as long as a call is repeated.
func (s *site) requireListedElsewhere(ctx context.Context, lost []int, jobs []string) {
	s.t.Helper()
	const repeated = 30 * time.Second
	for _, job := range jobs {
		run, err := s.m.Start(ctx, syncjob.Job{Name: job, Set: "tree", Open: true}, nil)
		require.NoError(s.t, err)
		defer func() {
			require.NoError(s.t, run.Stop(ctx, nil))
			require.NoError(s.t, run.Delete(ctx))
		}()
	}
	listings := map[string]func() (names []string, err error){
		"Jobs": func() ([]string, error) {
			return named(s.m.Jobs(ctx, nil), func(j states.Job) string { return j.Name })
		},
		"Runs": func() ([]string, error) {
			return named(s.m.Runs(ctx, nil), func(r states.Run) string { return r.Job })
		},
		"Failures": func() ([]string, error) {
			return named(s.m.Failures(ctx, nil), func(states.Failure) string { return "" })
		},
		"Queues":      func() ([]string, error) { _, err := s.m.Queues(ctx); return nil, err },
		"Workers":     func() ([]string, error) { _, err := s.m.Workers(ctx); return nil, err },
		"LostWorkers": func() ([]string, error) { _, err := s.m.LostWorkers(ctx); return nil, err },
		"Activity":    func() ([]string, error) { _, err := s.m.Activity(ctx, nil); return nil, err },
		"States":      func() ([]string, error) { _, err := s.m.Worker("none").States(ctx); return nil, err },
		"Pauses":      func() ([]string, error) { _, err := s.m.Pauses(ctx); return nil, err },
		"Audit": func() ([]string, error) {
			return named(s.m.Audit(ctx, nil), func(e states.AuditEntry) string { return e.Job })
		},
		"Semaphores": func() ([]string, error) {
			return named(s.m.Semaphores(ctx, nil), func(states.Semaphore) string { return "" })
		},
		"ListValues": func() ([]string, error) {
			return named(s.m.ListValues(ctx, store.NamespaceScope(0), nil), func(states.Value) string { return "" })
		},
		"Mode": func() ([]string, error) { _, err := s.m.Mode(ctx); return nil, err },
		"PauseAll": func() (paused []string, err error) {
			_, err = s.m.PauseAll(ctx, &syncjob.BulkOptions{
				Jobs: syncjob.JobsOptions{Prefix: jobs[0]},
				Progress: func(j states.BulkJob, _ states.BulkResult) {
					if j.Did == states.BulkChanged {
						paused = append(paused, j.Job)
					}
				},
			})
			return paused, err
		},
	}
	type answer struct {
		names []string
		err   error
		took  time.Duration
	}
	var mu sync.Mutex
	answers := make(map[string]answer)
	var calls sync.WaitGroup
	for name, list := range listings {
		calls.Go(func() {
			begun := time.Now()
			names, err := list()
			mu.Lock()
			defer mu.Unlock()
			answers[name] = answer{names, err, time.Since(begun)}
		})
	}
	calls.Wait()
	for name, a := range answers {
		var partial *syncjob.PartialError
		require.ErrorAs(s.t, a.err, &partial, name)
		require.Equal(s.t, lost, partial.Partitions, "%s: %v", name, a.err)
		require.Less(s.t, a.took, repeated, "%s waits for a shard that is down", name)
		s.t.Logf("with a shard down, %s took %v", name, a.took.Round(time.Millisecond))
	}
	require.Equal(s.t, jobs[:1], answers["PauseAll"].names)
	for _, list := range []string{"Jobs", "Runs"} {
		require.Subset(s.t, answers[list].names, jobs, "%s of the partitions that answer", list)
		for _, job := range answers[list].names {
			require.NotContains(s.t, lost, store.PartitionOf(job, s.oracle.Store().Partitions()))
		}
	}
}

// named lists what a sequence yields before its error.
func named[T any](all iter.Seq2[T, error], name func(T) string) (names []string, err error) {
	for item, err := range all {
		if err != nil {
			return names, err
		}
		names = append(names, name(item))
	}
	return names, nil
}
