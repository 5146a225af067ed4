package syncjob_test

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/rollcall-go/rollcall/handlers"
	"github.com/rollcall-go/rollcall/syncjob"
	"github.com/rollcall-go/rollcall/syncjob/schedule"
)

// In Berlin, 02:30 does not exist when the clocks are put forward, so it is due at 03:00; it comes
// twice when they are put back, and is due the first time.
func TestDueTimesWhereClocksAreChanged(t *testing.T) {
	synctest.Test(t, func(t *testing.T) { // the bubble begins on 1 January 2000
		m := manager(t, set(t, handlers.SetConfig{}, noop))
		_, err := m.Ensure(t.Context(), periodic(schedule.Schedule{Cron: "30 2 25-30 3,10 *", Zone: "Europe/Berlin"}))
		require.NoError(t, err)
		stop := work(t, m, syncjob.WorkerConfig{})
		time.Sleep(time.Second)
		require.NoError(t, stop())
		times, err := m.NextRuns(t.Context(), "nightly", 12)
		require.NoError(t, err)
		var got []string
		for _, due := range times {
			got = append(got, due.UTC().Format("01-02 15:04"))
		}
		require.Equal(t, []string{
			"03-25 01:30", "03-26 01:00", "03-27 00:30", "03-28 00:30", "03-29 00:30", "03-30 00:30",
			"10-25 00:30", "10-26 00:30", "10-27 00:30", "10-28 00:30", "10-29 00:30", "10-30 01:30",
		}, got)
	})
}

func TestAPausedRunIsActiveForTheScheduleWhichGoesOn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		gate := make(chan struct{})
		m := manager(t, set(t, handlers.SetConfig{}, func(ctx context.Context, a *handlers.Task[leaf]) error {
			if a.Args.I > 0 {
				return nil
			}
			<-gate
			_, err := a.Enqueue(ctx, leaf{1}, nil)
			return err
		}))
		_, err := m.Ensure(t.Context(), periodic(schedule.Schedule{Every: time.Minute}))
		require.NoError(t, err)
		work(t, m, syncjob.WorkerConfig{})
		time.Sleep(90 * time.Second)
		require.NoError(t, m.PauseJob(t.Context(), "nightly"))
		close(gate)
		time.Sleep(5 * time.Minute)
		state, err := m.State(t.Context(), "nightly")
		require.NoError(t, err)
		require.True(t, state.Run.Paused)
		require.EqualValues(t, 5, state.Skipped)
		require.NoError(t, m.ResumeJob(t.Context(), "nightly"))
		time.Sleep(time.Minute)
		next, err := m.Latest(t.Context(), "nightly")
		require.NoError(t, err)
		require.Greater(t, next.Number(), state.LastRun)
	})
}
