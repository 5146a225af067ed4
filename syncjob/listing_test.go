package syncjob_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/rollcall-go/rollcall/enqueue"
	"github.com/rollcall-go/rollcall/handlers"
	"github.com/rollcall-go/rollcall/store/memstore"
	"github.com/rollcall-go/rollcall/syncjob"
	"github.com/rollcall-go/rollcall/syncjob/states"
)

func names(t *testing.T, m *syncjob.Manager, opts *syncjob.JobsOptions) []string {
	t.Helper()
	var list []string
	for s, err := range m.Jobs(t.Context(), opts) {
		require.NoError(t, err)
		list = append(list, s.Name)
	}
	return list
}

func TestJobsAreListedInOrderAcrossPartitions(t *testing.T) {
	m := managerOn(t, memstore.New(&memstore.Options{Partitions: 5}), nil)
	var want []string
	for i := range 350 {
		name := fmt.Sprintf("job/%04d", i)
		_, err := m.Start(t.Context(), syncjob.Job{Name: name, Set: "tree", Root: leaf{}}, nil)
		require.NoError(t, err)
		want = append(want, name)
	}
	_, err := m.Start(t.Context(), syncjob.Job{Name: "zebra", Set: "tree", Root: leaf{}}, nil)
	require.NoError(t, err)
	require.Equal(t, append(want, "zebra"), names(t, m, nil))
	require.Equal(t, want, names(t, m, &syncjob.JobsOptions{Prefix: "job/"}))
	require.Equal(t, want[200:300], names(t, m, &syncjob.JobsOptions{Prefix: "job/02"}))
	require.Equal(t, want[7:8], names(t, m, &syncjob.JobsOptions{Prefix: want[7]}))
	require.Empty(t, names(t, m, &syncjob.JobsOptions{Prefix: "job0"}))
	require.Equal(t, want[201:], names(t, m, &syncjob.JobsOptions{Prefix: "job/", After: want[200]}))
	for s, err := range m.Jobs(t.Context(), nil) {
		require.NoError(t, err)
		require.Equal(t, want[0], s.Name)
		break
	}
}

func TestJobsAreGroupedByKindAndState(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := manager(t, set(t, handlers.SetConfig{}, noop))
		work(t, m, syncjob.WorkerConfig{})
		done, err := m.Start(t.Context(), syncjob.Job{Name: "done", Set: "tree", Root: leaf{}}, nil)
		require.NoError(t, err)
		_, err = done.Wait(t.Context())
		require.NoError(t, err)
		_, err = m.Start(t.Context(), syncjob.Job{Name: "open", Set: "tree", Open: true}, nil)
		require.NoError(t, err)
		stopped, err := m.Start(t.Context(), syncjob.Job{Name: "stopped", Set: "tree", Open: true}, nil)
		require.NoError(t, err)
		require.NoError(t, stopped.Stop(t.Context(), nil))
		_, err = m.Ensure(t.Context(), syncjob.Job{Name: "standing", Set: "tree", Open: true})
		require.NoError(t, err)

		for group, want := range map[syncjob.Group][]string{
			syncjob.GroupAll:        {"done", "open", "standing", "stopped"},
			syncjob.GroupSinglePass: {"done", "open", "stopped"},
			syncjob.GroupStanding:   {"standing"},
			syncjob.GroupPeriodic:   nil,
			syncjob.GroupStopped:    {"stopped"},
			syncjob.GroupFinished:   {"done", "stopped"},
			syncjob.GroupActive:     {"open", "standing"},
		} {
			require.Equal(t, want, names(t, m, &syncjob.JobsOptions{Group: group}), string(group))
		}
	})
}

func TestJobsAreListedByChangeStatusAndLabel(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := managerOn(t, memstore.New(&memstore.Options{Partitions: 5}), set(t, handlers.SetConfig{}, noop))
		var want []string
		for i := range 30 {
			job := syncjob.Job{
				Name: fmt.Sprintf("job/%02d", 29-i), Set: "tree", Open: true, Labels: map[string]string{"tenant": fmt.Sprint(i % 3)},
			}
			run, err := m.Start(t.Context(), job, nil)
			require.NoError(t, err)
			if i%2 == 0 {
				require.NoError(t, run.Stop(t.Context(), nil))
			}
			time.Sleep(time.Millisecond)
			want = append([]string{job.Name}, want...)
		}
		_, err := m.Ensure(t.Context(), syncjob.Job{Name: "declared", Set: "tree", Open: true, Labels: map[string]string{"tenant": "x"}})
		require.NoError(t, err)
		want = append([]string{"declared"}, want...)
		require.Equal(t, want, names(t, m, &syncjob.JobsOptions{ByChange: true}))
		require.Len(t, names(t, m, &syncjob.JobsOptions{Statuses: []states.Status{states.Stopped}}), 15)
		require.Len(t, names(t, m, &syncjob.JobsOptions{Group: syncjob.GroupActive, ByChange: true, Prefix: "job/"}), 15)
		require.Len(t, names(t, m, &syncjob.JobsOptions{Labels: map[string]string{"tenant": "1"}}), 10)
		require.Equal(t, []string{"declared"}, names(t, m, &syncjob.JobsOptions{Labels: map[string]string{"tenant": "x"}}))
		for _, byChange := range []bool{false, true} {
			whole := names(t, m, &syncjob.JobsOptions{ByChange: byChange})
			i := 0
			for s, err := range m.Jobs(t.Context(), &syncjob.JobsOptions{ByChange: byChange}) {
				require.NoError(t, err)
				i++
				rest := names(t, m, &syncjob.JobsOptions{ByChange: byChange, After: s.Cursor})
				require.Equal(t, whole[i:], append([]string{}, rest...))
			}
		}
		for field, opts := range map[string]syncjob.JobsOptions{
			"Statuses[0]": {Statuses: []states.Status{"odd"}}, "Labels[]": {Labels: map[string]string{"": ""}},
			"After": {ByChange: true, After: "x"},
		} {
			require.Equal(t, []string{field}, fields(firstError(m.Jobs(t.Context(), &opts))))
		}
	})
}

func TestQueuesShowWhatNobodyServes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := memstore.New(&memstore.Options{Partitions: 3})
		m := managerOn(t, s, set(t, handlers.SetConfig{}, func(ctx context.Context, _ *handlers.Task[leaf]) error {
			<-ctx.Done()
			return ctx.Err()
		}))
		work(t, m, syncjob.WorkerConfig{Name: "w1", Concurrency: 1, Grace: syncjob.NoGrace})
		run, err := m.Start(t.Context(), syncjob.Job{Name: "a", Set: "tree", Open: true}, nil)
		require.NoError(t, err)
		for range 2 {
			_, err = run.Enqueue(t.Context(), leaf{}, nil)
			require.NoError(t, err)
		}
		_, err = run.Enqueue(t.Context(), leaf{}, &enqueue.Options{Queue: "nobody"})
		require.NoError(t, err)
		time.Sleep(time.Minute)
		queues, err := m.Queues(t.Context())
		require.NoError(t, err)
		require.Len(t, queues, 2)
		require.Equal(t, "default", queues[0].Name)
		require.False(t, queues[0].Unserved)
		require.EqualValues(t, 1, queues[0].Waiting)
		require.EqualValues(t, 1, queues[0].Running)
		require.Equal(t, "nobody", queues[1].Name)
		require.True(t, queues[1].Unserved)
		require.InDelta(t, time.Minute, time.Since(queues[1].Oldest), float64(time.Second))

		workers, err := m.Workers(t.Context())
		require.NoError(t, err)
		require.Len(t, workers, 1, "three sessions are one worker")
		require.Equal(t, "w1", workers[0].Name)
		require.Equal(t, []string{"default"}, workers[0].Queues)
		require.Equal(t, 1, workers[0].Held)
		require.Len(t, workers[0].Running, 1)
		require.Equal(t, "leaf", workers[0].Running[0].Kind)

		why, err := run.Explain(t.Context())
		require.NoError(t, err)
		require.True(t, why.Stable)
		require.Empty(t, why.Disagreements)
		require.Len(t, why.Running, 1)
		require.Equal(t, "w1", why.Running[0].Worker)
		require.Len(t, why.Holds, 1)
		text := why.String()
		require.Contains(t, text, "no live worker serves leaf on queue nobody")
		require.Contains(t, text, "cannot finish before it is sealed")
		require.Contains(t, text, "runs at w1 for 1m0s")
	})
}

func TestExplainNamesDelaysPausesAndErrors(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := manager(t, set(t, handlers.SetConfig{}, func(context.Context, *handlers.Task[leaf]) error {
			return handlers.RetryAfter(time.Hour, errors.New("disk is full"))
		}))
		work(t, m, syncjob.WorkerConfig{})
		run, err := m.Start(t.Context(), syncjob.Job{Name: "a", Set: "tree", Root: leaf{}}, nil)
		require.NoError(t, err)
		time.Sleep(time.Second)
		require.NoError(t, run.Pause(t.Context()))
		why, err := run.Explain(t.Context())
		require.NoError(t, err)
		require.Empty(t, why.Disagreements)
		require.Contains(t, why.String(), "it is paused")
		require.Contains(t, why.String(), "an attempt failed and is tried again: disk is full")
		require.Contains(t, why.String(), "1 task of leaf on queue default is delayed, the first until 2000-01-01T01:00:00Z")
	})
}

func TestFailuresAreASampleOfTheExactNumber(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := memstore.New(nil)
		reg := set(t, handlers.SetConfig{}, func(_ context.Context, task *handlers.Task[leaf]) error {
			if task.Args.I == 0 {
				panic("boom")
			}
			return handlers.Permanent(errors.New("no"))
		})
		m, err := syncjob.New(s, syncjob.Config{Registry: reg, FailureCap: 150})
		require.NoError(t, err)
		t.Cleanup(func() { require.NoError(t, m.Close()) })
		work(t, m, syncjob.WorkerConfig{Name: "w1"})
		run, err := m.Start(t.Context(), syncjob.Job{Name: "a", Set: "tree", Open: true}, nil)
		require.NoError(t, err)
		_, err = run.EnqueueAll(t.Context(), leaves(400), nil)
		require.NoError(t, err)
		require.NoError(t, run.Seal(t.Context()))
		final, err := run.Wait(t.Context())
		require.NoError(t, err)
		require.Equal(t, states.Failed, final.Status)
		require.EqualValues(t, 400, final.Counts.Failed)
		seen, panics := 0, 0
		for f, err := range run.Failures(t.Context(), nil) {
			require.NoError(t, err)
			require.Equal(t, "w1", f.Worker)
			if f.Stack != "" {
				panics++
			}
			seen++
		}
		require.Equal(t, 150, seen)
		require.LessOrEqual(t, panics, 1)
	})
}
