package cron_test

import (
	"context"
	"errors"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/rollcall-go/rollcall/handlers"
	"github.com/rollcall-go/rollcall/store"
	"github.com/rollcall-go/rollcall/store/memstore"
	"github.com/rollcall-go/rollcall/store/semaphore"
	"github.com/rollcall-go/rollcall/syncjob"
	"github.com/rollcall-go/rollcall/syncjob/cron"
)

// diary notes when a runner ran, in virtual time since it was opened.
type diary struct {
	start time.Time

	mu    sync.Mutex
	times []time.Duration
}

func newDiary() *diary { return &diary{start: time.Now()} }

// run is the function of a runner that takes so long.
func (d *diary) run(takes time.Duration) func(context.Context) error {
	return func(ctx context.Context) error {
		d.mu.Lock()
		d.times = append(d.times, time.Since(d.start))
		d.mu.Unlock()
		select {
		case <-time.After(takes):
			return nil
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}

func (d *diary) read() []time.Duration {
	d.mu.Lock()
	defer d.mu.Unlock()
	return append([]time.Duration(nil), d.times...)
}

// schedule runs a scheduler for so long, of virtual time.
func schedule(t *testing.T, d time.Duration, cfg cron.Config, runners ...cron.Runner) *cron.Scheduler {
	t.Helper()
	return scheduleOn(t, manager(t), d, cfg, runners...)
}

func scheduleOn(t *testing.T, m *syncjob.Manager, d time.Duration, cfg cron.Config, runners ...cron.Runner) *cron.Scheduler {
	t.Helper()
	s, err := cron.New(m, cfg, runners...)
	require.NoError(t, err)
	ctx, cancel := context.WithTimeout(t.Context(), d)
	defer cancel()
	require.NoError(t, s.Run(ctx))
	return s
}

func TestARunnerIsDueAtOnceAndThenAtEachInterval(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newDiary()
		s := schedule(t, 3500*time.Millisecond, cron.Config{}, cron.Runner{
			Name: "tick", Trigger: cron.Trigger{Every: time.Second}, Run: d.run(time.Millisecond),
		})
		require.Equal(t, []time.Duration{0, time.Second, 2 * time.Second, 3 * time.Second}, d.read())
		state := s.Runners()[0]
		require.Equal(t, 4, state.Runs)
		require.NoError(t, state.Err)
	})
}

func TestAStartDelayPutsOffTheFirstTimeAndTheGridWithIt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newDiary()
		schedule(t, 3*time.Second, cron.Config{}, cron.Runner{
			Name: "tick", Trigger: cron.Trigger{Every: time.Second, StartDelay: 700 * time.Millisecond}, Run: d.run(0),
		})
		require.Equal(t, []time.Duration{700 * time.Millisecond, 1700 * time.Millisecond, 2700 * time.Millisecond}, d.read())
	})
}

func TestARunnerNeverOverlapsItselfAndLeavesOutWhatItMissed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newDiary()
		schedule(t, 6500*time.Millisecond, cron.Config{}, cron.Runner{
			Name: "slow", Trigger: cron.Trigger{Every: time.Second}, Run: d.run(2500 * time.Millisecond),
		})
		require.Equal(t, []time.Duration{0, 3 * time.Second, 6 * time.Second}, d.read())
	})
}

func TestARunnerThatIsDueWhileThePoolIsFullWaitsForAPlace(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		first, second, third := newDiary(), newDiary(), newDiary()
		once := func(after time.Duration) cron.Trigger {
			return cron.Trigger{At: time.Now().Add(after)}
		}
		schedule(t, time.Minute, cron.Config{Concurrency: 1},
			cron.Runner{Name: "third", Trigger: once(3 * time.Second), Run: third.run(0)},
			cron.Runner{Name: "first", Trigger: once(time.Second), Run: first.run(10 * time.Second)},
			cron.Runner{Name: "second", Trigger: once(2 * time.Second), Run: second.run(5 * time.Second)},
		)
		require.Equal(t, []time.Duration{time.Second}, first.read())
		require.Equal(t, []time.Duration{11 * time.Second}, second.read())
		require.Equal(t, []time.Duration{16 * time.Second}, third.read())
	})
}

func TestACronTriggerKeepsToItsTimeZone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) { // the bubble begins on 1 January 2000, midnight UTC
		d := newDiary()
		schedule(t, 48*time.Hour, cron.Config{}, cron.Runner{
			Name: "nightly", Trigger: cron.Trigger{Cron: "30 2 * * *", Zone: "Europe/Berlin"}, Run: d.run(0),
		})
		require.Equal(t, []time.Duration{90 * time.Minute, 25*time.Hour + 30*time.Minute}, d.read())
	})
}

func TestAOneOffTimeThatHasPassedIsNotDue(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		past, future := newDiary(), newDiary()
		s := schedule(t, time.Minute, cron.Config{},
			cron.Runner{Name: "past", Trigger: cron.Trigger{At: time.Now().Add(-time.Second)}, Run: past.run(0)},
			cron.Runner{Name: "future", Trigger: cron.Trigger{At: time.Now().Add(time.Second)}, Run: future.run(0)},
		)
		require.Empty(t, past.read())
		require.Equal(t, []time.Duration{time.Second}, future.read())
		for _, state := range s.Runners() {
			require.Zero(t, state.Next)
		}
	})
}

func TestJitterPutsEachRunOffByLessThanItself(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newDiary()
		schedule(t, 99*time.Second, cron.Config{}, cron.Runner{
			Name: "tick", Trigger: cron.Trigger{Every: time.Second, Jitter: 500 * time.Millisecond}, Run: d.run(0),
		})
		times, late := d.read(), 0
		require.GreaterOrEqual(t, len(times), 98)
		for i, at := range times {
			off := at - time.Duration(i)*time.Second
			require.GreaterOrEqual(t, off, time.Duration(0))
			require.Less(t, off, 500*time.Millisecond)
			if off > 0 {
				late++
			}
		}
		require.Positive(t, late)
	})
}

func TestFailuresAndPanicsAreToldAndTheRunnerGoesOn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		broken := errors.New("broken")
		var told []error
		n := 0
		s := schedule(t, 2500*time.Millisecond, cron.Config{OnError: func(name string, err error) {
			require.Equal(t, "flaky", name)
			told = append(told, err)
		}}, cron.Runner{Name: "flaky", Trigger: cron.Trigger{Every: time.Second}, Run: func(context.Context) error {
			switch n++; n {
			case 1:
				return broken
			case 2:
				panic("worse")
			}
			return nil
		}})
		require.Len(t, told, 2)
		require.ErrorIs(t, told[0], broken)
		var panicked *handlers.PanicError
		require.ErrorAs(t, told[1], &panicked)
		require.NotEmpty(t, panicked.Stack)
		state := s.Runners()[0]
		require.Equal(t, cron.RunnerState{Name: "flaky", Runs: 3, Failed: 2, Next: state.Next}, state)
	})
}

func TestAGatedRunnerIsSkippedWhileItRunsElsewhere(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := memstore.New(nil)
		gate := &semaphore.Gate{Semaphores: semaphore.New(s), Key: "report", TTL: time.Minute, Holder: "a test"}
		taken, err := gate.Semaphores.TryAcquire(t.Context(), "report", &semaphore.Options{TTL: time.Minute, Holder: "elsewhere"})
		require.NoError(t, err)
		time.AfterFunc(1500*time.Millisecond, func() { _ = taken.Release(context.Background()) })
		d := newDiary()
		sch := schedule(t, 3500*time.Millisecond, cron.Config{}, cron.Runner{
			Name: "report", Trigger: cron.Trigger{Every: time.Second}, Gate: gate, Run: d.run(0),
		})
		require.Equal(t, []time.Duration{2 * time.Second, 3 * time.Second}, d.read())
		state := sch.Runners()[0]
		require.Equal(t, 2, state.Skipped)
		require.Equal(t, 2, state.Runs)
	})
}

func TestReadOnlyModeSkipsRunnersThatAreNotMarked(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := manager(t)
		time.AfterFunc(500*time.Millisecond, func() { _ = m.SetMode(context.Background(), syncjob.ModeReadOnly) })
		time.AfterFunc(2500*time.Millisecond, func() { _ = m.SetMode(context.Background(), syncjob.ModeReadWrite) })
		plain, marked := newDiary(), newDiary()
		tick := cron.Trigger{Every: time.Second}
		s := scheduleOn(t, m, 3500*time.Millisecond, cron.Config{},
			cron.Runner{Name: "plain", Trigger: tick, Run: plain.run(0)},
			cron.Runner{Name: "marked", Trigger: tick, Run: marked.run(0), RunsInReadOnly: true},
		)
		require.Equal(t, []time.Duration{0, 3 * time.Second}, plain.read())
		require.Equal(t, []time.Duration{0, time.Second, 2 * time.Second, 3 * time.Second}, marked.read())
		states := s.Runners()
		require.Equal(t, []int{2, 2, 0}, []int{states[0].Runs, states[0].Skipped, states[0].Failed})
		require.Equal(t, []int{4, 0, 0}, []int{states[1].Runs, states[1].Skipped, states[1].Failed})
	})
}

// modeless is a store whose mode cannot be read.
type modeless struct{ store.Store }

func (modeless) Pauses(context.Context, int) (store.PauseSet, error) {
	return store.PauseSet{}, store.Transient(errCut)
}

func TestARunnerRunsWhileTheModeCannotBeRead(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := memstore.New(nil)
		require.NoError(t, s.Pause(t.Context(), 0, store.Pause{}))
		sch := scheduleOn(t, managerOn(t, modeless{s}, nil), time.Minute, cron.Config{},
			cron.Runner{Name: "tick", Trigger: cron.Trigger{Every: time.Hour}, Run: newDiary().run(0)})
		require.Equal(t, 1, sch.Runners()[0].Runs)
	})
}

func TestBadRunnersAreRefusedByField(t *testing.T) {
	m := manager(t)
	run := func(context.Context) error { return nil }
	tick, back := cron.Trigger{Every: time.Second}, cron.Trigger{Every: -time.Second}
	for name, c := range map[string]struct {
		cfg  cron.Config
		r    cron.Runner
		want string
	}{
		"no name":               {r: cron.Runner{Trigger: tick, Run: run}, want: "Runners[0].Name"},
		"nothing to run":        {r: cron.Runner{Name: "a", Trigger: tick}, want: "Runners[0].Run"},
		"never due":             {r: cron.Runner{Name: "a", Run: run}, want: "Runners[0].Trigger.Every"},
		"due in two ways":       {r: cron.Runner{Name: "a", Trigger: cron.Trigger{Every: time.Second, Cron: "@daily"}, Run: run}, want: "Runners[0].Trigger.Every"},
		"negative interval":     {r: cron.Runner{Name: "a", Trigger: back, Run: run}, want: "Runners[0].Trigger.Every"},
		"too often":             {r: cron.Runner{Name: "a", Trigger: cron.Trigger{Every: 1}, Run: run}, want: "Runners[0].Trigger.Every"},
		"six fields":            {r: cron.Runner{Name: "a", Trigger: cron.Trigger{Cron: "0 0 0 1 1 *"}, Run: run}, want: "Runners[0].Trigger.Cron"},
		"30 February":           {r: cron.Runner{Name: "a", Trigger: cron.Trigger{Cron: "0 0 30 2 *"}, Run: run}, want: "Runners[0].Trigger.Cron"},
		"interval as cron":      {r: cron.Runner{Name: "a", Trigger: cron.Trigger{Cron: "@every 1h"}, Run: run}, want: "Runners[0].Trigger.Cron"},
		"zone in cron":          {r: cron.Runner{Name: "a", Trigger: cron.Trigger{Cron: "TZ=UTC 0 0 * * *"}, Run: run}, want: "Runners[0].Trigger.Cron"},
		"unknown zone":          {r: cron.Runner{Name: "a", Trigger: cron.Trigger{Cron: "@daily", Zone: "Mars/Olympus"}, Run: run}, want: "Runners[0].Trigger.Zone"},
		"zone without cron":     {r: cron.Runner{Name: "a", Trigger: cron.Trigger{Every: time.Second, Zone: "UTC"}, Run: run}, want: "Runners[0].Trigger.Zone"},
		"negative delay":        {r: cron.Runner{Name: "a", Trigger: cron.Trigger{Every: time.Second, StartDelay: -1}, Run: run}, want: "Runners[0].Trigger.StartDelay"},
		"negative jitter":       {r: cron.Runner{Name: "a", Trigger: cron.Trigger{Every: time.Second, Jitter: -1}, Run: run}, want: "Runners[0].Trigger.Jitter"},
		"jitter of interval":    {r: cron.Runner{Name: "a", Trigger: cron.Trigger{Every: time.Second, Jitter: time.Second}, Run: run}, want: "Runners[0].Trigger.Jitter"},
		"delay of one time":     {r: cron.Runner{Name: "a", Trigger: cron.Trigger{At: time.Unix(1, 0), StartDelay: 1}, Run: run}, want: "Runners[0].Trigger.StartDelay"},
		"gate without a store":  {r: cron.Runner{Name: "a", Trigger: tick, Run: run, Gate: &semaphore.Gate{}}, want: "Runners[0].Gate.Semaphores"},
		"negative grace":        {cfg: cron.Config{Grace: -2}, r: cron.Runner{Name: "a", Trigger: tick, Run: run}, want: "Grace"},
		"negative grace of one": {r: cron.Runner{Name: "a", Trigger: tick, Run: run, Grace: -2}, want: "Runners[0].Grace"},
		"negative concurrency":  {cfg: cron.Config{Concurrency: -1}, r: cron.Runner{Name: "a", Trigger: tick, Run: run}, want: "Concurrency"},
		"excessive concurrency": {cfg: cron.Config{Concurrency: syncjob.MaxConcurrency + 1}, r: cron.Runner{Name: "a", Trigger: tick, Run: run}, want: "Concurrency"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := cron.New(m, c.cfg, c.r)
			require.ErrorIs(t, err, syncjob.ErrInvalid)
			require.Contains(t, fields(err), c.want)
		})
	}
	_, err := cron.New(m, cron.Config{}, cron.Runner{Name: "a", Trigger: tick, Run: run}, cron.Runner{Name: "a", Trigger: tick, Run: run})
	require.Equal(t, []string{"Runners[1].Name"}, fields(err))
}
