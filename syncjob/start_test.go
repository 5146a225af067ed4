package syncjob_test

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/rollcall-go/rollcall/handlers"
	"github.com/rollcall-go/rollcall/store/statuses"
	"github.com/rollcall-go/rollcall/syncjob"
	"github.com/rollcall-go/rollcall/syncjob/schedule"
	"github.com/rollcall-go/rollcall/syncjob/states"
)

func TestStartRefusesJoinsOrReplacesAnActiveRun(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := manager(t, set(t, handlers.SetConfig{}, func(ctx context.Context, _ *handlers.Task[leaf]) error {
			<-ctx.Done()
			time.Sleep(time.Second)
			return ctx.Err()
		}))
		work(t, m, syncjob.WorkerConfig{})
		job := syncjob.Job{Name: "a", Set: "tree", Root: leaf{}}
		first, err := m.Start(t.Context(), job, nil)
		require.NoError(t, err)
		require.False(t, first.Existing())
		synctest.Wait()

		refused, err := m.Start(t.Context(), job, nil)
		require.ErrorIs(t, err, syncjob.ErrJobExists)
		require.Equal(t, first.Number(), refused.Number())

		joined, err := m.Start(t.Context(), job, &syncjob.StartOptions{IfActive: syncjob.IfActiveJoin})
		require.NoError(t, err)
		require.True(t, joined.Existing())
		require.Equal(t, first.Number(), joined.Number())

		next, err := m.Start(t.Context(), job, &syncjob.StartOptions{IfActive: syncjob.IfActiveReplace})
		require.NoError(t, err)
		require.Greater(t, next.Number(), first.Number())
		state, err := first.State(t.Context())
		require.NoError(t, err)
		require.Equal(t, states.Stopped, state.Status)
		require.Equal(t, "replaced by the next run", state.Reason)
		require.Zero(t, state.Counts.Running, "its handlers have returned")
		latest, err := m.Latest(t.Context(), "a")
		require.NoError(t, err)
		require.Equal(t, next.Number(), latest.Number())
	})
}

func TestStartLeavesDeclaredNamesAlone(t *testing.T) {
	ways := map[string]*syncjob.StartOptions{
		"refuse": nil, "join": {IfActive: syncjob.IfActiveJoin}, "replace": {IfActive: syncjob.IfActiveReplace}, "key": {Key: "k"},
	}
	for kind, declared := range map[statuses.JobType]syncjob.Job{
		states.JobPeriodic: {Name: "a", Set: "tree", Root: leaf{}, Schedule: &schedule.Schedule{Every: time.Hour}},
		states.JobStanding: {Name: "a", Set: "tree", Open: true},
	} {
		for way, opts := range ways {
			t.Run(string(kind)+" "+way, func(t *testing.T) {
				m := manager(t, set(t, handlers.SetConfig{}, noop))
				_, err := m.Ensure(t.Context(), declared)
				require.NoError(t, err)
				if kind == states.JobPeriodic {
					_, err = m.TriggerNow(t.Context(), "a")
					require.NoError(t, err)
				}
				active, err := m.Latest(t.Context(), "a")
				require.NoError(t, err)
				refused := func() *syncjob.Run {
					run, err := m.Start(t.Context(), syncjob.Job{Name: "a", Set: "tree", Root: leaf{}}, opts)
					require.ErrorIs(t, err, syncjob.ErrJobExists)
					var exists *syncjob.JobExistsError
					require.ErrorAs(t, err, &exists)
					require.Equal(t, kind, exists.Declared)
					return run
				}
				require.Equal(t, active.Number(), refused().Number(), "the active run comes along")
				state, err := active.State(t.Context())
				require.NoError(t, err)
				require.Equal(t, states.Running, state.Status, "it goes on")
				require.NoError(t, m.Stop(t.Context(), "a", nil))
				require.Nil(t, refused(), "stopped by name")
				runs, err := m.JobRuns(t.Context(), "a")
				require.NoError(t, err)
				require.Len(t, runs, 1, "no other run began")
			})
		}
	}
}

func TestTheSameKeyGivesTheSameRunEvenAFinishedOne(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := manager(t, set(t, handlers.SetConfig{}, noop))
		work(t, m, syncjob.WorkerConfig{})
		job := syncjob.Job{Name: "a", Set: "tree", Root: leaf{}}
		first, err := m.Start(t.Context(), job, &syncjob.StartOptions{Key: "upload-9"})
		require.NoError(t, err)
		_, err = first.Wait(t.Context())
		require.NoError(t, err)
		again, err := m.Start(t.Context(), job, &syncjob.StartOptions{Key: "upload-9"})
		require.NoError(t, err)
		require.True(t, again.Existing())
		require.Equal(t, first.Number(), again.Number())
		other, err := m.Start(t.Context(), job, nil)
		require.NoError(t, err)
		require.Greater(t, other.Number(), first.Number())
		_, err = other.Wait(t.Context())
		require.NoError(t, err)

		runs, err := m.JobRuns(t.Context(), "a")
		require.NoError(t, err)
		require.Len(t, runs, 2)
		require.Equal(t, other.Number(), runs[0].Number())
		require.NoError(t, first.Delete(t.Context()))
		_, err = m.Run("a", first.Number()).State(t.Context())
		require.ErrorIs(t, err, syncjob.ErrRunNotFound)
		require.NoError(t, m.Delete(t.Context(), "a"))
		_, err = m.State(t.Context(), "a")
		require.ErrorIs(t, err, syncjob.ErrJobNotFound)
	})
}

func TestAnOpenRunFinishesOnceSealed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := manager(t, set(t, handlers.SetConfig{}, noop))
		work(t, m, syncjob.WorkerConfig{})
		run, err := m.Start(t.Context(), syncjob.Job{Name: "a", Set: "tree", Open: true}, nil)
		require.NoError(t, err)
		summary, err := run.EnqueueAll(t.Context(), leaves(1000), nil)
		require.NoError(t, err)
		require.Equal(t, 1000, summary.Enqueued)
		time.Sleep(time.Hour)
		state, err := run.State(t.Context())
		require.NoError(t, err)
		require.Equal(t, states.Running, state.Status)
		require.EqualValues(t, 1000, state.Counts.Succeeded)
		require.NoError(t, run.Seal(t.Context()))
		final, err := run.Wait(t.Context())
		require.NoError(t, err)
		require.Equal(t, states.Succeeded, final.Status)
	})
}

func TestAStopAfterStopsAnOpenRunWhoseProducerBrokeOff(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := manager(t, set(t, handlers.SetConfig{}, noop))
		work(t, m, syncjob.WorkerConfig{})
		run, err := m.Start(t.Context(), syncjob.Job{Name: "a", Set: "tree", Open: true, StopAfter: time.Minute}, nil)
		require.NoError(t, err)
		begun := time.Now()
		final, err := run.Wait(t.Context())
		require.NoError(t, err)
		require.Equal(t, time.Minute, time.Since(begun))
		require.Equal(t, states.Stopped, final.Status)
		require.Contains(t, final.Reason, "StopAfter")
	})
}

func TestASealAfterEndsAnIdleOpenRun(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := manager(t, set(t, handlers.SetConfig{}, noop))
		work(t, m, syncjob.WorkerConfig{})
		run, err := m.Start(t.Context(), syncjob.Job{Name: "a", Set: "tree", Open: true, SealAfter: time.Minute}, nil)
		require.NoError(t, err)
		begun := time.Now()
		time.Sleep(45 * time.Second)
		_, err = run.Enqueue(t.Context(), leaf{}, nil)
		require.NoError(t, err)
		final, err := run.Wait(t.Context())
		require.NoError(t, err)
		require.Equal(t, states.Succeeded, final.Status)
		require.Equal(t, 105*time.Second, time.Since(begun), "a minute after the task")
	})
}
