package syncjob_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/rollcall-go/rollcall/handlers"
	"github.com/rollcall-go/rollcall/store"
	"github.com/rollcall-go/rollcall/store/memstore"
	"github.com/rollcall-go/rollcall/syncjob"
	"github.com/rollcall-go/rollcall/syncjob/schedule"
	"github.com/rollcall-go/rollcall/syncjob/states"
)

// calendarOf runs a worker over a job with the schedule for so long of virtual time, and returns
// when its runs were due and when they began, in virtual time since it was declared. Each run takes
// as long as given.
func calendarOf(t *testing.T, during, takes time.Duration, s schedule.Schedule) (due, began []time.Duration, state states.Job) {
	t.Helper()
	m := manager(t, set(t, handlers.SetConfig{}, func(ctx context.Context, _ *handlers.Task[leaf]) error {
		select {
		case <-time.After(takes):
			return nil
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}))
	start := time.Now()
	result, err := m.Ensure(t.Context(), periodic(s))
	require.NoError(t, err)
	require.Equal(t, syncjob.EnsureCreated, result)
	stop := work(t, m, syncjob.WorkerConfig{Grace: syncjob.NoGrace})
	time.Sleep(during)
	runs, err := m.JobRuns(t.Context(), "nightly")
	require.NoError(t, err)
	for i := len(runs) - 1; i >= 0; i-- {
		run, err := runs[i].State(t.Context())
		require.NoError(t, err)
		due = append(due, run.Due.Sub(start))
		began = append(began, run.Created.Sub(start))
	}
	state, err = m.State(t.Context(), "nightly")
	require.NoError(t, err)
	require.NoError(t, stop())
	return due, began, state
}

func periodic(s schedule.Schedule) syncjob.Job {
	return syncjob.Job{Name: "nightly", Set: "tree", Root: leaf{}, Schedule: &s}
}

func minutes(list ...float64) (out []time.Duration) {
	for _, m := range list {
		out = append(out, time.Duration(m*float64(time.Minute)))
	}
	return out
}

// near requires times to be those wanted, or a little later: workers wake a little late.
func near(t *testing.T, want, got []time.Duration) {
	t.Helper()
	require.Len(t, got, len(want), "%v", got)
	for i := range want {
		require.GreaterOrEqual(t, got[i], want[i])
		require.Less(t, got[i], want[i]+time.Second)
	}
}

func TestAPeriodicJobIsDueAfterEachInterval(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		due, began, state := calendarOf(t, 210*time.Second, time.Second, schedule.Schedule{Every: time.Minute})
		near(t, minutes(1, 2, 3), due)
		near(t, minutes(1, 2, 3), began)
		require.Equal(t, states.JobPeriodic, state.Type)
		require.Zero(t, state.Skipped)
		require.Equal(t, states.Succeeded, state.Run.Status)
	})
}

func TestFireOnCreateMakesTheFirstRunDueAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		due, _, _ := calendarOf(t, 90*time.Second, time.Second, schedule.Schedule{Every: time.Minute, FireOnCreate: true})
		near(t, minutes(0, 1), due)
	})
}

func TestSkipPassesADueTimeOverWhileARunIsActive(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		due, began, state := calendarOf(t, 330*time.Second, 150*time.Second, schedule.Schedule{Every: time.Minute})
		near(t, minutes(1, 4), due)
		near(t, minutes(1, 4), began)
		require.EqualValues(t, 3, state.Skipped)
		require.False(t, state.LastSkip.IsZero())
	})
}

func TestQueueOneFiresOnceWhenTheRunHasEnded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		due, began, state := calendarOf(
			t, 370*time.Second, 150*time.Second, schedule.Schedule{Every: time.Minute, Overlap: schedule.OverlapQueueOne},
		)
		near(t, minutes(1, 2, 4), due) // 3 is made up for by the run that was due at 2
		near(t, minutes(1, 3.5, 6), began)
		require.Zero(t, state.Skipped)
	})
}

func TestReplaceStopsTheActiveRun(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		due, began, state := calendarOf(
			t, 190*time.Second, time.Hour, schedule.Schedule{Every: time.Minute, Overlap: schedule.OverlapReplace},
		)
		near(t, minutes(1, 2, 3), due)
		near(t, minutes(1, 2, 3), began)
		require.Zero(t, state.Skipped)
	})
}

func TestAfterCompletionCountsFromTheEndOfTheRunBefore(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		due, began, state := calendarOf(
			t, 500*time.Second, 90*time.Second,
			schedule.Schedule{Every: time.Minute, Overlap: schedule.OverlapAfterCompletion},
		)
		near(t, minutes(1, 3.5, 6), due)
		near(t, minutes(1, 3.5, 6), began)
		require.Zero(t, state.Skipped)
	})
}

func TestMissedTimesMakeUpForOneRun(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := manager(t, set(t, handlers.SetConfig{}, noop))
		_, err := m.Ensure(t.Context(), periodic(schedule.Schedule{Every: time.Minute}))
		require.NoError(t, err)
		start := time.Now()
		work := func(d time.Duration) {
			w, err := m.NewWorker(syncjob.WorkerConfig{})
			require.NoError(t, err)
			ctx, cancel := context.WithTimeout(t.Context(), d)
			defer cancel()
			require.NoError(t, w.Run(ctx))
		}
		work(time.Second)
		time.Sleep(10 * time.Minute) // nobody works
		work(10 * time.Second)
		runs, err := m.JobRuns(t.Context(), "nightly")
		require.NoError(t, err)
		require.Len(t, runs, 1)
		state, err := runs[0].State(t.Context())
		require.NoError(t, err)
		near(t, minutes(1), []time.Duration{state.Due.Sub(start)})
		next, err := m.NextRuns(t.Context(), "nightly", 3)
		require.NoError(t, err)
		near(t, minutes(11, 12, 13), []time.Duration{next[0].Sub(start), next[1].Sub(start), next[2].Sub(start)})
	})
}

func TestNextRunsAreInTheZoneOfTheSchedule(t *testing.T) {
	cairo, err := time.LoadLocation("Africa/Cairo")
	require.NoError(t, err)
	for zone, s := range map[*time.Location]schedule.Schedule{
		cairo:    {Cron: "30 1 * * *", Zone: cairo.String()},
		time.UTC: {Every: time.Hour},
	} {
		synctest.Test(t, func(t *testing.T) {
			m := manager(t, set(t, handlers.SetConfig{}, noop))
			_, err := m.Ensure(t.Context(), periodic(s))
			require.NoError(t, err)
			work(t, m, syncjob.WorkerConfig{})
			synctest.Wait()
			times, err := m.NextRuns(t.Context(), "nightly", 3)
			require.NoError(t, err)
			require.Len(t, times, 3)
			for _, at := range times {
				require.Equal(t, zone.String(), at.Location().String())
			}
		})
	}
}

func TestStopByNameDisablesTheScheduleUntilItIsEnabled(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := manager(t, set(t, handlers.SetConfig{}, noop))
		_, err := m.Ensure(t.Context(), periodic(schedule.Schedule{Every: time.Minute}))
		require.NoError(t, err)
		work(t, m, syncjob.WorkerConfig{})
		count := func() int {
			runs, err := m.JobRuns(t.Context(), "nightly")
			require.NoError(t, err)
			return len(runs)
		}
		time.Sleep(90 * time.Second)
		require.Equal(t, 1, count())
		require.NoError(t, m.Stop(t.Context(), "nightly", nil))
		next, err := m.NextRuns(t.Context(), "nightly", 1)
		require.NoError(t, err)
		require.Empty(t, next)
		_, err = m.TriggerNow(t.Context(), "nightly")
		require.ErrorIs(t, err, syncjob.ErrJobDisabled)
		result, err := m.Ensure(t.Context(), periodic(schedule.Schedule{Every: time.Minute}))
		require.NoError(t, err)
		require.Equal(t, syncjob.EnsureUnchanged, result)
		time.Sleep(10 * time.Minute)
		require.Equal(t, 1, count())
		require.NoError(t, m.Enable(t.Context(), "nightly"))
		enabled := time.Now()
		time.Sleep(time.Second)
		next, err = m.NextRuns(t.Context(), "nightly", 1)
		require.NoError(t, err)
		near(t, minutes(1), []time.Duration{next[0].Sub(enabled)})
		time.Sleep(time.Minute)
		require.Equal(t, 2, count(), "what was missed meanwhile is not made up for")
	})
}

func TestStoppingARunKeepsTheSchedule(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := manager(t, set(t, handlers.SetConfig{}, func(ctx context.Context, _ *handlers.Task[leaf]) error {
			<-ctx.Done()
			return context.Cause(ctx)
		}))
		_, err := m.Ensure(t.Context(), periodic(schedule.Schedule{Every: time.Minute}))
		require.NoError(t, err)
		stop := work(t, m, syncjob.WorkerConfig{Grace: syncjob.NoGrace})
		time.Sleep(90 * time.Second)
		run, err := m.Latest(t.Context(), "nightly")
		require.NoError(t, err)
		require.NoError(t, run.Stop(t.Context(), nil))
		time.Sleep(time.Minute)
		next, err := m.Latest(t.Context(), "nightly")
		require.NoError(t, err)
		require.NotEqual(t, run.Number(), next.Number())
		require.NoError(t, stop())
	})
}

func TestEachRunHasItsOwnHooksAndASkippedTimeHasNone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var pre, post []time.Time
		hooks := handlers.Hooks{
			PreJob:  func(_ context.Context, r *handlers.Run) error { pre = append(pre, r.Due); return nil },
			PostJob: func(_ context.Context, r *handlers.Run) error { post = append(post, r.Due); return nil },
		}
		m := manager(t, set(t, handlers.SetConfig{Hooks: hooks}, func(context.Context, *handlers.Task[leaf]) error {
			time.Sleep(90 * time.Second)
			return nil
		}))
		start := time.Now()
		_, err := m.Ensure(t.Context(), periodic(schedule.Schedule{Every: time.Minute}))
		require.NoError(t, err)
		stop := work(t, m, syncjob.WorkerConfig{})
		time.Sleep(280 * time.Second)
		require.NoError(t, stop())
		for _, hook := range [][]time.Time{pre, post} {
			require.Len(t, hook, 2)
			near(t, minutes(1, 3), []time.Duration{hook[0].Sub(start), hook[1].Sub(start)})
		}
	})
}

func TestTriggerNowBeginsARunBesideTheSchedule(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := manager(t, set(t, handlers.SetConfig{}, noop))
		_, err := m.Ensure(t.Context(), periodic(schedule.Schedule{Every: time.Hour}))
		require.NoError(t, err)
		run, err := m.TriggerNow(t.Context(), "nightly")
		require.NoError(t, err)
		active, err := m.TriggerNow(t.Context(), "nightly")
		require.ErrorIs(t, err, syncjob.ErrJobExists)
		require.Equal(t, run.Number(), active.Number())
		work(t, m, syncjob.WorkerConfig{})
		final, err := run.Wait(t.Context())
		require.NoError(t, err)
		require.Zero(t, final.Due)
		synctest.Wait() // the run may end before the worker has seen the schedule
		next, err := m.NextRuns(t.Context(), "nightly", 1)
		require.NoError(t, err)
		require.Len(t, next, 1)
		_, err = m.TriggerNow(t.Context(), "unknown")
		require.ErrorIs(t, err, syncjob.ErrJobNotFound)
	})
}

func TestReadOnlyModeHoldsBackDueTimes(t *testing.T) {
	for name, marked := range map[string]bool{"ordinary set": false, "marked set": true} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := memstore.New(nil)
				m := managerOn(t, s, set(t, handlers.SetConfig{RunsInReadOnly: marked}, noop))
				_, err := m.Ensure(t.Context(), periodic(schedule.Schedule{Every: time.Minute}))
				require.NoError(t, err)
				work(t, m, syncjob.WorkerConfig{})
				time.Sleep(time.Second)
				require.NoError(t, s.Pause(t.Context(), 0, store.Pause{}))
				time.Sleep(5 * time.Minute)
				runs, err := m.JobRuns(t.Context(), "nightly")
				require.NoError(t, err)
				require.Equal(t, marked, len(runs) > 0)
				state, err := m.State(t.Context(), "nightly")
				require.NoError(t, err)
				require.Equal(t, marked, state.NextDue.After(time.Now()), "what is held back stays due")
				require.NoError(t, s.Resume(t.Context(), 0, store.PauseScope{}))
				time.Sleep(10 * time.Second)
				runs, err = m.JobRuns(t.Context(), "nightly")
				require.NoError(t, err)
				require.NotEmpty(t, runs)
			})
		})
	}
}

func TestASetWithoutItsWorkersIsFiredByOthers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := memstore.New(nil)
		producer := managerOn(t, s, nil)
		_, err := producer.Ensure(
			t.Context(),
			syncjob.Job{Name: "nightly", Set: "elsewhere", Root: leaf{}, Schedule: &schedule.Schedule{Cron: "@hourly"}},
		)
		require.NoError(t, err)
		work(t, managerOn(t, s, set(t, handlers.SetConfig{}, noop)), syncjob.WorkerConfig{})
		time.Sleep(61 * time.Minute)
		state, err := producer.State(t.Context(), "nightly")
		require.NoError(t, err)
		require.True(t, state.Active(), "it waits for a worker that has the set")
	})
}

func TestBadSchedulesAreRefusedByField(t *testing.T) {
	m := manager(t, set(t, handlers.SetConfig{}, noop))
	for want, s := range map[string]schedule.Schedule{
		"Schedule.Every":   {},
		"Schedule.Cron":    {Cron: "often"},
		"Schedule.Zone":    {Cron: "@daily", Zone: "Nowhere"},
		"Schedule.Overlap": {Every: time.Hour, Overlap: "pile up"},
		"Schedule.Jitter":  {Every: time.Hour, Jitter: -1},
	} {
		_, err := m.Ensure(t.Context(), periodic(s))
		require.Equal(t, []string{want}, fields(err))
	}
	for _, never := range []string{"0 0 30 2 *", "0 0 31 4,6 ?", "@every 5m", "0 0 * * * *"} {
		_, err := m.Ensure(t.Context(), periodic(schedule.Schedule{Cron: never}))
		require.Equal(t, []string{"Schedule.Cron"}, fields(err))
	}
	for _, other := range []string{"@every 5m", "TZ=UTC 0 0 * * *"} {
		_, err := m.Ensure(t.Context(), periodic(schedule.Schedule{Cron: other}))
		require.ErrorContains(t, err, ": use the field ")
	}
	_, err := m.Ensure(t.Context(), periodic(schedule.Schedule{Every: time.Second + 1}))
	require.Equal(t, []string{"Schedule.Every"}, fields(err))
	_, err = m.Ensure(t.Context(), periodic(schedule.Schedule{Every: time.Hour, Jitter: time.Hour}))
	require.Equal(t, []string{"Schedule.Jitter"}, fields(err), "due times would pass unseen")
	_, err = m.Ensure(t.Context(), periodic(schedule.Schedule{Cron: "@daily", Overlap: schedule.OverlapAfterCompletion}))
	require.Equal(t, []string{"Schedule.Overlap"}, fields(err))
	open := periodic(schedule.Schedule{Every: time.Hour})
	open.Open = true
	_, err = m.Ensure(t.Context(), open)
	require.Equal(t, []string{"Schedule"}, fields(err))
	_, err = m.Start(t.Context(), periodic(schedule.Schedule{Every: time.Hour}), nil)
	require.Equal(t, []string{"Schedule"}, fields(err))
	for _, n := range []int{-1, 0, 1001} {
		_, err = m.NextRuns(t.Context(), "nightly", n)
		require.Equal(t, []string{"N"}, fields(err))
	}
	_, err = m.State(t.Context(), "nightly")
	require.ErrorIs(t, err, syncjob.ErrJobNotFound)
}

// slowFire is a store that takes so long for each call that fires a job, and counts them.
type slowFire struct {
	store.Store
	takes time.Duration
	calls atomic.Int64
}

func (s *slowFire) FireRun(ctx context.Context, p store.FireParams) (store.FireReply, error) {
	s.calls.Add(1)
	time.Sleep(s.takes)
	return s.Store.FireRun(ctx, p)
}

// What follows a due time must be ahead when it is stored, which takes longer here than the
// interval.
func TestAnIntervalMayBeShorterThanACallOfTheStore(t *testing.T) {
	for _, overlap := range []schedule.Overlap{schedule.OverlapSkip, schedule.OverlapQueueOne, schedule.OverlapReplace, schedule.OverlapAfterCompletion} {
		for _, takes := range []time.Duration{time.Millisecond, 20 * time.Millisecond, 900 * time.Millisecond} {
			t.Run(fmt.Sprintf("%s, %v", overlap, takes), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					s := &slowFire{Store: memstore.New(nil), takes: takes}
					began := make(chan struct{}, 10_000)
					m := managerOn(t, s, set(t, handlers.SetConfig{}, func(context.Context, *handlers.Task[leaf]) error {
						began <- struct{}{}
						return nil
					}))
					start := time.Now()
					_, err := m.Ensure(t.Context(), periodic(schedule.Schedule{Every: schedule.MinEvery, Overlap: overlap}))
					require.NoError(t, err)
					work(t, m, syncjob.WorkerConfig{})
					for range 5 {
						select {
						case <-began:
						case <-time.After(time.Minute):
							t.Fatal("no run begins")
						}
					}
					require.Less(t, time.Since(start), 5*(3*takes+store.FireClaim)+time.Second)
					require.Less(t, s.calls.Load(), int64(20), "calls for five runs")
				})
			})
		}
	}
}

// TestNoDueTimeIsPassedOverThatIsStillToCome has calls so slow that the next due times often come before the store
// hears of them.
func TestNoDueTimeIsPassedOverThatIsStillToCome(t *testing.T) {
	const every = 50 * time.Millisecond
	for _, takes := range []time.Duration{10 * time.Millisecond, 49 * time.Millisecond, 60 * time.Millisecond, 190 * time.Millisecond, time.Second} {
		t.Run(takes.String(), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := &slowFire{Store: memstore.New(nil), takes: takes}
				m := managerOn(t, s, set(t, handlers.SetConfig{}, func(context.Context, *handlers.Task[leaf]) error {
					time.Sleep(rand.N(3 * every / 2))
					return nil
				}))
				_, err := m.Ensure(t.Context(), periodic(schedule.Schedule{Every: every, Overlap: schedule.OverlapQueueOne}))
				require.NoError(t, err)
				stop := work(t, m, syncjob.WorkerConfig{})
				time.Sleep(20 * time.Second)
				require.NoError(t, stop())
				runs, err := m.JobRuns(t.Context(), "nightly")
				require.NoError(t, err)
				slices.Reverse(runs)
				var last states.Run
				for _, run := range runs {
					state, err := run.State(t.Context())
					require.NoError(t, err)
					if !last.Due.IsZero() {
						missing := state.Due.Add(-every) // if it is not the last one
						require.False(t, missing.After(last.Due) && missing.After(last.Created),
							"%v was still to come when the run of %v began, at %v", missing, last.Due, last.Created)
					}
					last = state
				}
				require.Greater(t, len(runs), int(10*time.Second/(takes+2*every)))
			})
		})
	}
}
