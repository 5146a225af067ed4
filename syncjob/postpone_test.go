package syncjob_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/rollcall-go/rollcall/handlers"
	"github.com/rollcall-go/rollcall/internal/timetable"
	"github.com/rollcall-go/rollcall/store"
	"github.com/rollcall-go/rollcall/store/bounds"
	"github.com/rollcall-go/rollcall/store/memstore"
	"github.com/rollcall-go/rollcall/syncjob"
	"github.com/rollcall-go/rollcall/syncjob/cron"
	"github.com/rollcall-go/rollcall/syncjob/schedule"
	"github.com/rollcall-go/rollcall/syncjob/states"
)

// countedFires is a store that counts the calls that firing makes.
type countedFires struct {
	store.Store
	calls atomic.Int64
}

func (c *countedFires) Promote(ctx context.Context, partition int) (store.PromoteReply, error) {
	c.calls.Add(1)
	return c.Store.Promote(ctx, partition)
}

func (c *countedFires) Job(ctx context.Context, job string) (store.JobRecord, error) {
	c.calls.Add(1)
	return c.Store.Job(ctx, job)
}

func (c *countedFires) FireRun(ctx context.Context, p store.FireParams) (store.FireReply, error) {
	c.calls.Add(1)
	return c.Store.FireRun(ctx, p)
}

func (c *countedFires) PostponeJob(ctx context.Context, p store.PostponeParams) error {
	c.calls.Add(1)
	return c.Store.PostponeJob(ctx, p)
}

// bareMachine has no time zone database until installed is set.
func bareMachine(t *testing.T) (installed *atomic.Bool) {
	installed = new(atomic.Bool)
	t.Cleanup(timetable.ReplaceZones(func(name string) (*time.Location, error) {
		if !installed.Load() {
			return nil, fmt.Errorf("unknown time zone %s", name)
		}
		return time.LoadLocation(name)
	}))
	return installed
}

// declareZoned declares n jobs that are due each half hour in Berlin, on a machine that knows where
// that is.
func declareZoned(t *testing.T, s store.Store, n int) {
	t.Helper()
	m := managerOn(t, s, set(t, handlers.SetConfig{}, noop))
	for i := range n {
		_, err := m.Ensure(t.Context(), syncjob.Job{
			Name: fmt.Sprintf("nightly-%d", i), Set: "tree", Root: leaf{},
			Schedule: &schedule.Schedule{Cron: "*/30 * * * *", Zone: "Europe/Berlin"},
		})
		require.NoError(t, err)
	}
}

// workLogged runs a worker whose warnings are kept.
func workLogged(t *testing.T, s store.Store) (m *syncjob.Manager, logged *complaints) {
	t.Helper()
	logged = &complaints{}
	m, err := syncjob.New(s, syncjob.Config{Registry: set(t, handlers.SetConfig{}, noop), Logger: slog.New(logged)})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, m.Close()) })
	work(t, m, syncjob.WorkerConfig{Name: "bare"})
	return m, logged
}

func TestJobsWhoseZoneIsUnknownCostLittleAndSayWhyOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const jobs = 300
		s := &countedFires{Store: memstore.New(nil)}
		declareZoned(t, s, jobs)
		installed := bareMachine(t)
		s.calls.Store(0)
		m, logged := workLogged(t, s)
		time.Sleep(10 * time.Second)
		t.Logf("%d jobs for 10 s: %d calls of the store, %d lines", jobs, s.calls.Load(), len(logged.read()))
		require.Less(t, s.calls.Load(), int64(jobs*12), "in 10 s")
		require.Len(t, logged.read(), jobs, "a line for each job")
		require.Contains(t, logged.read()[0], "install tzdata")
		s.calls.Store(0)
		time.Sleep(20 * time.Minute)
		t.Logf("%d jobs for 20 min: %d calls of the store, %d lines", jobs, s.calls.Load(), len(logged.read()))
		require.Less(t, s.calls.Load(), int64(jobs*60), "in 20 minutes")
		require.Len(t, logged.read(), jobs, "said once is enough")

		state, err := m.State(t.Context(), "nightly-7")
		require.NoError(t, err)
		require.Equal(t, `worker "bare": Schedule.Zone "Europe/Berlin" cannot be looked up: `+
			`this machine has no time zone database; install tzdata, or import time/tzdata`, state.Problem)
		require.WithinDuration(t, time.Now().Add(-20*time.Minute), state.ProblemSince, time.Minute)
		_, err = m.NextRuns(t.Context(), "nightly-7", 3)
		require.ErrorIs(t, err, syncjob.ErrDueUnknown)
		require.ErrorContains(t, err, state.Problem)

		installed.Store(true)
		time.Sleep(bounds.PostponeLast + time.Second)
		for i := range jobs {
			state, err := m.State(t.Context(), fmt.Sprintf("nightly-%d", i))
			require.NoError(t, err)
			require.Empty(t, state.Problem)
			require.False(t, state.NextDue.IsZero(), "it was found soon after the database was there")
		}
		times, err := m.NextRuns(t.Context(), "nightly-7", 3)
		require.NoError(t, err)
		require.Len(t, times, 3)

		installed.Store(false)
		time.Sleep(31 * time.Minute)
		require.Len(t, logged.read(), 2*jobs, "it is said again when it is so again")
	})
}

// Whatever makes it impossible to fire a job that is due is one kind.
func TestJobsThatCannotBeFiredArePutOffWhateverTheReason(t *testing.T) {
	edit := func(change func(d map[string]any)) func(string) string {
		return func(definition string) string {
			var d map[string]any
			require.NoError(t, json.Unmarshal([]byte(definition), &d))
			change(d)
			b, err := json.Marshal(d)
			require.NoError(t, err)
			return string(b)
		}
	}
	for problem, change := range map[string]func(string) string{
		"definition of version 2":       edit(func(d map[string]any) { d["v"] = 2 }),
		"the definition has no":         edit(func(d map[string]any) { delete(d, "schedule") }),
		"not JSON":                      func(string) string { return "{{" },
		"Schedule.Cron":                 edit(func(d map[string]any) { d["schedule"] = map[string]any{"cron": "0 0 30 2 *"} }),
		"Schedule.Every":                edit(func(d map[string]any) { d["schedule"] = map[string]any{"every": -1} }),
		"Retention is not":              edit(func(d map[string]any) { d["retention"] = -1 }),
		"Weight is not":                 edit(func(d map[string]any) { d["weight"] = -1 }),
		"Root.At is not in the years":   edit(func(d map[string]any) { d["root"].(map[string]any)["at"] = "0000-01-01T00:00:00Z" }),
		"Configuration is longer than ": edit(func(d map[string]any) { d["configuration"] = strings.Repeat("x", 300<<10) }),
	} {
		t.Run(problem, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := &countedFires{Store: memstore.New(nil)}
				m := managerOn(t, s, set(t, handlers.SetConfig{}, noop))
				_, err := m.Ensure(t.Context(), periodic(schedule.Schedule{Every: time.Hour, FireOnCreate: true}))
				require.NoError(t, err)
				rec, err := s.Job(t.Context(), "nightly")
				require.NoError(t, err)
				_, err = s.EnsureJob(t.Context(), store.EnsureParams{
					Job: "nightly", Type: states.JobPeriodic, Definition: []byte(change(string(rec.Definition))),
					Schedule: []byte("another"), Revision: 1,
				})
				require.NoError(t, err)
				s.calls.Store(0)
				_, logged := workLogged(t, s)
				time.Sleep(10 * time.Minute)
				require.Less(t, s.calls.Load(), int64(100), "in 10 minutes")
				require.Len(t, logged.read(), 1, "%q", logged.read())
				require.Contains(t, logged.read()[0], problem)
				state, err := m.State(t.Context(), "nightly")
				require.NoError(t, err)
				require.Contains(t, state.Problem, problem)

				_, err = s.EnsureJob(t.Context(), store.EnsureParams{
					Job: "nightly", Type: states.JobPeriodic, Definition: rec.Definition, Schedule: []byte("another"), Revision: 2,
				})
				require.NoError(t, err)
				time.Sleep(time.Second)
				state, err = m.State(t.Context(), "nightly")
				require.NoError(t, err)
				require.Empty(t, state.Problem)
				require.False(t, state.NextDue.IsZero(), "another definition is read at once")
			})
		})
	}
}

// broken is a store that cannot fire.
type broken struct {
	store.Store
	err atomic.Pointer[error]
}

func (b *broken) FireRun(ctx context.Context, p store.FireParams) (store.FireReply, error) {
	if err := b.err.Load(); err != nil {
		return store.FireReply{}, *err
	}
	return b.Store.FireRun(ctx, p)
}

func TestAnErrorThatPassesLeavesNoProblemBehind(t *testing.T) {
	long := fmt.Errorf("%s: %w", strings.Repeat("é", bounds.MaxProblemLen), store.ErrCorrupt)
	for _, err := range []error{store.ErrOutOfMemory, store.ErrCorrupt, long, store.Transient(errors.New("down"))} {
		synctest.Test(t, func(t *testing.T) {
			s := &broken{Store: memstore.New(nil)}
			s.err.Store(&err)
			m, logged := workLogged(t, s)
			_, ensureErr := m.Ensure(t.Context(), periodic(schedule.Schedule{Every: time.Hour, FireOnCreate: true}))
			require.NoError(t, ensureErr)
			time.Sleep(2 * time.Minute)
			lines := 1
			if errors.Is(err, syncjob.ErrUnavailable) {
				lines = 4 // one each time that repeating the call was given up
			}
			require.LessOrEqual(t, len(logged.read()), lines, "%q", logged.read())
			s.err.Store(nil)
			time.Sleep(bounds.PostponeLast + time.Second)
			state, stateErr := m.State(t.Context(), "nightly")
			require.NoError(t, stateErr)
			require.Empty(t, state.Problem)
			require.EqualValues(t, 1, state.Run.Counts.Succeeded)
		})
	}
}

func TestExplainSaysWhyTheNextRunDoesNotBegin(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := memstore.New(nil)
		installed := bareMachine(t)
		installed.Store(true)
		m, _ := workLogged(t, s)
		_, err := m.Ensure(t.Context(), syncjob.Job{
			Name: "nightly", Set: "tree", Root: leaf{},
			Schedule: &schedule.Schedule{Cron: "*/30 * * * *", Zone: "Europe/Berlin", FireOnCreate: true},
		})
		require.NoError(t, err)
		time.Sleep(time.Second)
		installed.Store(false)
		time.Sleep(time.Hour)
		state, err := m.State(t.Context(), "nightly")
		require.NoError(t, err)
		x, err := m.Run("nightly", state.LastRun).Explain(t.Context())
		require.NoError(t, err)
		require.Equal(t, state.Problem, x.Problem)
		require.Contains(t, x.String(), "the next run of the job does not begin: worker \"bare\": Schedule.Zone")
	})
}

func TestAScheduleThatEndsHasNoMoreDueTimes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := manager(t, set(t, handlers.SetConfig{}, noop))
		const centuries = 200 * 365 * 24 * time.Hour
		_, err := m.Ensure(t.Context(), periodic(schedule.Schedule{Every: centuries}))
		require.NoError(t, err)
		work(t, m, syncjob.WorkerConfig{})
		time.Sleep(time.Second)
		times, err := m.NextRuns(t.Context(), "nightly", 1000)
		require.NoError(t, err)
		require.Len(t, times, 40, "until the year 9999, which is the last that can be kept")
		require.Less(t, times[len(times)-1].Year(), 10000)
	})
}

func TestAZoneThatCannotBeUsedIsRefusedAndSaysWhatIsMissing(t *testing.T) {
	m := manager(t, set(t, handlers.SetConfig{}, noop))
	installed := bareMachine(t)
	refused := func(zone string) {
		t.Helper()
		want := map[string]string{
			"Local":          `is "Local", which each machine would read differently`,
			"Europe/Nowhere": `"Europe/Nowhere" is not the name of a time zone in the database of this machine`,
			"europe/nowhere": `"europe/nowhere" is not the name of a time zone in the database of this machine`,
			"Europe/Berlin": `"Europe/Berlin" cannot be looked up: this machine has no time zone database; ` +
				`install tzdata, or import time/tzdata`,
		}[zone]
		_, err := m.Ensure(t.Context(), periodic(schedule.Schedule{Cron: "0 3 * * *", Zone: zone}))
		require.EqualError(t, err, "ensure: Schedule.Zone "+want)
		require.ErrorIs(t, err, syncjob.ErrInvalid)
		_, err = cron.New(m, cron.Config{}, cron.Runner{
			Name: "r", Run: func(context.Context) error { return nil }, Trigger: cron.Trigger{Cron: "0 3 * * *", Zone: zone},
		})
		require.EqualError(t, err, "new scheduler: Runners[0].Trigger.Zone "+want)
		_, err = m.State(t.Context(), "nightly")
		require.ErrorIs(t, err, syncjob.ErrJobNotFound, "nothing was written")
	}
	refused("Local")
	refused("Europe/Berlin")
	installed.Store(true)
	refused("Local")
	refused("Europe/Nowhere")
	refused("europe/nowhere")
}
