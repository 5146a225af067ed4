package syncjob_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/rollcall-go/rollcall/enqueue"
	"github.com/rollcall-go/rollcall/handlers"
	"github.com/rollcall-go/rollcall/store"
	"github.com/rollcall-go/rollcall/store/bounds"
	"github.com/rollcall-go/rollcall/store/memstore"
	"github.com/rollcall-go/rollcall/syncjob"
	"github.com/rollcall-go/rollcall/syncjob/events"
	"github.com/rollcall-go/rollcall/syncjob/schedule"
	"github.com/rollcall-go/rollcall/syncjob/states"
)

// trial is one use of the library, from code to the end of a run.
type trial struct {
	set    handlers.Attributes
	kind   handlers.Attributes
	edit   func(*syncjob.Configuration)
	config syncjob.Config
	worker syncjob.WorkerConfig
	job    syncjob.Job
}

// knob is a field that takes numbers.
type knob[T any] struct {
	field string // as a FieldError ends
	turn  func(*trial, T)
}

var (
	extremeInts = []int{
		math.MinInt, -2, -1, 0, 1, 1 << 30, 1<<30 + 1, 1<<53 + 1, math.MaxInt,
	}
	extremeTimes = []time.Duration{
		math.MinInt64, -2, -1, 0, 1, 500 * time.Microsecond, time.Millisecond, 1500 * time.Microsecond,
		31 * 24 * time.Hour, 366 * 24 * time.Hour, math.MaxInt64,
	}
	extremeFloats = []float64{
		math.Inf(-1), -1, -math.SmallestNonzeroFloat64, math.Copysign(0, -1), 0, math.SmallestNonzeroFloat64,
		bounds.MinWeight, bounds.MaxWeight, math.MaxFloat64, math.Inf(1), math.NaN(),
	}
)

// attributes are the knobs of attributes, wherever these are written.
func attributes(of func(*trial, func(*handlers.Attributes))) (
	ints []knob[int], times []knob[time.Duration], floats []knob[float64],
) {
	type attrs = handlers.Attributes
	number := func(field string, set func(*attrs, int)) {
		ints = append(ints, knob[int]{field, func(a *trial, n int) { of(a, func(at *attrs) { set(at, n) }) }})
	}
	span := func(field string, set func(*attrs, time.Duration)) {
		times = append(times, knob[time.Duration]{field, func(a *trial, d time.Duration) {
			of(a, func(at *attrs) { set(at, d) })
		}})
	}
	fraction := func(field string, set func(*attrs, float64)) {
		floats = append(floats, knob[float64]{field, func(a *trial, f float64) { of(a, func(at *attrs) { set(at, f) }) }})
	}
	number("MaxRetries", func(a *attrs, n int) { a.MaxRetries = n })
	number("MaxDeliveries", func(a *attrs, n int) { a.MaxDeliveries = n })
	number("MaxSnoozes", func(a *attrs, n int) { a.MaxSnoozes = n })
	number("MaxRunning", func(a *attrs, n int) { a.MaxRunning = n })
	number("MaxRunningPerJob", func(a *attrs, n int) { a.MaxRunningPerJob = n })
	number("Rate.Events", func(a *attrs, n int) { a.Rate.Events = n })
	number("Rate.Burst", func(a *attrs, n int) { a.Rate = handlers.Rate{Events: 100, Burst: n} })
	number("Rate", func(a *attrs, n int) { a.Rate = handlers.Rate{Events: 1, Burst: n, Per: 31 * 24 * time.Hour} })
	span("Rate.Per", func(a *attrs, d time.Duration) { a.Rate = handlers.Rate{Events: 2, Per: d} })
	span("Timeout", func(a *attrs, d time.Duration) { a.Timeout = d })
	span("Backoff.First", func(a *attrs, d time.Duration) { a.Backoff.First = d })
	span("Backoff.Cap", func(a *attrs, d time.Duration) { a.Backoff.Cap = d })
	span("Backoff", func(a *attrs, d time.Duration) { a.Backoff = handlers.Exponential{First: d, Cap: d, Jitter: 1} })
	fraction("Backoff.Factor", func(a *attrs, f float64) { a.Backoff = handlers.Exponential{First: 1, Factor: f} })
	fraction("Backoff.Jitter", func(a *attrs, f float64) { a.Backoff = handlers.Exponential{First: 1, Jitter: f} })
	return ints, times, floats
}

func knobs() (ints []knob[int], times []knob[time.Duration], floats []knob[float64]) {
	for _, place := range []func(*trial, func(*handlers.Attributes)){
		func(a *trial, change func(*handlers.Attributes)) { change(&a.set) },
		func(a *trial, change func(*handlers.Attributes)) { change(&a.kind) },
		func(a *trial, change func(*handlers.Attributes)) {
			a.edit = func(c *syncjob.Configuration) { change(&c.Set) }
		},
		func(a *trial, change func(*handlers.Attributes)) {
			a.edit = func(c *syncjob.Configuration) { change(c.Kind("leaf")) }
		},
	} {
		i, t, f := attributes(place)
		ints, times, floats = append(ints, i...), append(times, t...), append(floats, f...)
	}
	ints = append(ints,
		knob[int]{"RootOptions.MaxRetries", func(a *trial, n int) { a.job.RootOptions.MaxRetries = n }},
		knob[int]{"Concurrency", func(a *trial, n int) { a.worker.Concurrency = n }},
		knob[int]{"FailureCap", func(a *trial, n int) { a.config.FailureCap = n }},
		knob[int]{"MaxPayload", func(a *trial, n int) { a.config.MaxPayload = n }},
	)
	times = append(times,
		knob[time.Duration]{"RootOptions.Timeout", func(a *trial, d time.Duration) { a.job.RootOptions.Timeout = d }},
		knob[time.Duration]{"RootOptions.Delay", func(a *trial, d time.Duration) { a.job.RootOptions.Delay = d }},
		knob[time.Duration]{"RootOptions.IDFor", func(a *trial, d time.Duration) {
			a.job.RootOptions.ID, a.job.RootOptions.IDFor = "root", d
		}},
		knob[time.Duration]{"SealAfter", func(a *trial, d time.Duration) {
			a.job.SealAfter, a.job.Open = d, d != 0
		}},
		knob[time.Duration]{"StopAfter", func(a *trial, d time.Duration) {
			a.job.StopAfter, a.job.Open = d, d != 0
		}},
		knob[time.Duration]{"Deadline", func(a *trial, d time.Duration) { a.job.Deadline = d }},
		knob[time.Duration]{"Retention", func(a *trial, d time.Duration) { a.job.Retention = d }},
		knob[time.Duration]{"Retention", func(a *trial, d time.Duration) { a.config.Retention = d }},
		knob[time.Duration]{"Lease", func(a *trial, d time.Duration) {
			a.worker.Lease, a.set.MaxRunning = d, 3
		}},
		knob[time.Duration]{"Grace", func(a *trial, d time.Duration) { a.worker.Grace = d }},
		knob[time.Duration]{"Retry.Base", func(a *trial, d time.Duration) { a.config.Retry.Base = d }},
		knob[time.Duration]{"Retry.Cap", func(a *trial, d time.Duration) { a.config.Retry.Cap = d }},
		knob[time.Duration]{"Retry.MaxElapsed", func(a *trial, d time.Duration) {
			a.config.Retry.MaxElapsed = max(d, time.Second)
		}},
		knob[time.Duration]{"Schedule.Every", func(a *trial, d time.Duration) {
			a.job.Schedule = &schedule.Schedule{Every: d, FireOnCreate: true, Overlap: schedule.OverlapQueueOne}
		}},
		knob[time.Duration]{"Schedule.Every", func(a *trial, d time.Duration) {
			a.job.Schedule = &schedule.Schedule{Every: d, FireOnCreate: true, Overlap: schedule.OverlapAfterCompletion}
		}},
		knob[time.Duration]{"Schedule.Jitter", func(a *trial, d time.Duration) {
			a.job.Schedule = &schedule.Schedule{Cron: "* * * * *", Jitter: d, FireOnCreate: true}
		}},
	)
	floats = append(floats,
		knob[float64]{"Weight", func(a *trial, f float64) { a.set.Weight = f }},
		knob[float64]{"Weight", func(a *trial, f float64) {
			a.edit = func(c *syncjob.Configuration) { c.Set.Weight = f }
		}},
		knob[float64]{"Weight", func(a *trial, f float64) { a.job.Weight = f }},
		knob[float64]{"Queues[0].Weight", func(a *trial, f float64) {
			a.worker.Queues = []syncjob.Queue{{Name: "default", Weight: f}, {Name: "other"}}
		}},
	)
	return ints, times, floats
}

// trials tries every value of every knob, and names each try.
func trials(visit func(name, field string, a *trial)) {
	begin := func() *trial {
		return &trial{
			set: handlers.Attributes{Backoff: handlers.Exponential{First: time.Millisecond}},
			job: syncjob.Job{Name: "a", Set: "tree", Root: leaf{}, RootOptions: &enqueue.Options{}},
		}
	}
	ints, times, floats := knobs()
	for i, k := range ints {
		for _, n := range extremeInts {
			a := begin()
			k.turn(a, n)
			visit(fmt.Sprintf("%s (%d) %d", k.field, i, n), k.field, a)
		}
	}
	for i, k := range times {
		for _, d := range extremeTimes {
			a := begin()
			k.turn(a, d)
			visit(fmt.Sprintf("%s (%d) %d ns", k.field, i, d), k.field, a)
		}
	}
	for i, k := range floats {
		for _, f := range extremeFloats {
			a := begin()
			k.turn(a, f)
			visit(fmt.Sprintf("%s (%d) %g", k.field, i, f), k.field, a)
		}
	}
}

// refused requires an error to name the field, and nothing to be written.
func refused(t *testing.T, name, field string, s store.Store, err error) {
	t.Helper()
	bad := fields(err)
	require.NotEmpty(t, bad, "%s: %v", name, err)
	found := false
	for _, f := range bad {
		found = found || strings.Contains(f, field) || f == "Root" && field == "MaxPayload"
	}
	require.True(t, found, "%s: %v names %q", name, err, bad)
	page, err := s.ListJobs(t.Context(), store.ListParams{Limit: 1})
	require.NoError(t, err)
	require.Empty(t, page.Jobs, name)
	rec, err := s.Configuration(t.Context(), store.ConfigurationID{Set: "tree"})
	require.NoError(t, err)
	require.Zero(t, rec.Version, name)
}

// play carries a trial out: the first layer that sees the field refuses it, or a task starts, fails
// once, and ends.
func play(t *testing.T, name, field string, a *trial, s store.Store) (ran bool) {
	t.Helper()
	var calls atomic.Int32
	logged := &complaints{}
	m, w, err := a.open(s, &calls, logged)
	if err != nil {
		refused(t, name, field, s, err)
		return false
	}
	defer func() { require.NoError(t, m.Close()) }()
	if err := a.begin(t.Context(), m); err != nil {
		refused(t, name, field, s, err)
		return false
	}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- w.Run(ctx) }()
	state, err := m.State(ctx, "a")
	for range 6000 {
		if ended(state, err, field, calls.Load() > 0) {
			break
		}
		time.Sleep(10 * time.Millisecond)
		state, err = m.State(ctx, "a")
	}
	require.True(t, ended(state, err, field, calls.Load() > 0), "%s: %d calls, %+v, %v", name, calls.Load(), state.Run, err)
	cancel()
	require.NoError(t, <-done, name)
	require.Empty(t, logged.read(), name)
	return true
}

// open makes the manager and the worker.
func (a *trial) open(s store.Store, calls *atomic.Int32, logged *complaints) (*syncjob.Manager, *syncjob.Worker, error) {
	set := handlers.NewSet("tree", handlers.SetConfig{Attributes: a.set})
	handlers.Handle(set, func(context.Context, *handlers.Task[leaf]) error {
		if calls.Add(1) == 1 {
			return errors.New("the first time")
		}
		return nil
	}, &handlers.KindOptions{Attributes: a.kind})
	reg, err := handlers.NewRegistry(set)
	if err != nil {
		return nil, nil, err
	}
	a.config.Registry, a.config.Logger = reg, slog.New(logged)
	m, err := syncjob.New(s, a.config)
	if err != nil {
		return nil, nil, err
	}
	w, err := m.NewWorker(a.worker)
	if err != nil {
		return nil, nil, errors.Join(err, m.Close())
	}
	return m, w, nil
}

// begin configures the set, and declares or starts the job.
func (a *trial) begin(ctx context.Context, m *syncjob.Manager) error {
	if a.edit != nil {
		edit := func(c *syncjob.Configuration) error { a.edit(c); return nil }
		if _, err := m.Configure(ctx, "tree", nil, edit); err != nil {
			return err
		}
	}
	if a.job.Schedule != nil {
		_, err := m.Ensure(ctx, a.job)
		return err
	}
	_, err := m.Start(ctx, a.job, nil)
	return err
}

// ended reports whether a run came to its end, or to where what was asked for puts it off.
func ended(state states.Job, err error, field string, started bool) bool {
	switch {
	case err != nil:
		return started && field == "Retention" && errors.Is(err, syncjob.ErrJobNotFound)
	case state.Run == nil:
		return started && field == "Retention" || field == "Schedule.Jitter" && !state.NextDue.IsZero()
	case (field == "StopAfter" || field == "Deadline") && state.Run.Status == states.Stopped:
		return true // also before its task was fetched
	case started && (state.Run.Status.Final() || state.Run.Holds == 1 && state.Run.Counts.Remaining() == 0):
		return true
	case started && strings.HasPrefix(field, "Schedule"):
		return true // another run may have begun by now
	}
	waits := started && strings.HasPrefix(field, "Backoff") || field == "RootOptions.Delay"
	limited := started && strings.HasPrefix(field, "Rate") // a retry is one more event
	return waits && state.Run.Counts.Delayed == 1 || limited && state.Run.Counts.Pending == 1
}

// complaints keeps the warnings and errors that a worker logs.
type complaints struct {
	slog.Handler
	mu    sync.Mutex
	lines []string
}

func (c *complaints) Enabled(_ context.Context, level slog.Level) bool {
	return level >= slog.LevelWarn
}
func (c *complaints) WithAttrs([]slog.Attr) slog.Handler { return c }
func (c *complaints) WithGroup(string) slog.Handler      { return c }
func (c *complaints) Handle(_ context.Context, r slog.Record) error {
	line := r.Message
	if line == events.TaskFailed {
		return nil // as it should, where there is no retry
	}
	r.Attrs(func(a slog.Attr) bool { line += " " + a.String(); return true })
	c.mu.Lock()
	defer c.mu.Unlock()
	c.lines = append(c.lines, line)
	return nil
}

func (c *complaints) read() []string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.lines
}

func TestEveryNumberAtItsExtremesWorksOrIsRefusedInMemory(t *testing.T) {
	tried, ran := 0, 0
	trials(func(name, field string, a *trial) {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				tried++
				if play(t, name, field, a, memstore.New(nil)) {
					ran++
				}
			})
		})
	})
	t.Logf("%d trials, of which %d ran", tried, ran)
}
