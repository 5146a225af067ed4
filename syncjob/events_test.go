package syncjob_test

import (
	"context"
	"errors"
	"log/slog"
	"os"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/rollcall-go/rollcall/enqueue"
	"github.com/rollcall-go/rollcall/handlers"
	"github.com/rollcall-go/rollcall/store"
	"github.com/rollcall-go/rollcall/store/memstore"
	"github.com/rollcall-go/rollcall/store/semaphore"
	"github.com/rollcall-go/rollcall/syncjob"
	"github.com/rollcall-go/rollcall/syncjob/cron"
	"github.com/rollcall-go/rollcall/syncjob/events"
	"github.com/rollcall-go/rollcall/syncjob/observe"
	"github.com/rollcall-go/rollcall/syncjob/schedule"
	"github.com/rollcall-go/rollcall/syncjob/states"
)

// listed is an event as EVENTS.md lists it.
type listed struct {
	level              string
	required, optional []string
}

// listedEvents reads the table of events in EVENTS.md.
func listedEvents(t *testing.T) map[string]listed {
	t.Helper()
	readme, err := os.ReadFile("events/EVENTS.md")
	require.NoError(t, err)
	events := make(map[string]listed)
	for _, row := range regexp.MustCompile("(?m)^\\| `([^`|]+)` \\| (DEBUG|INFO|WARN|ERROR) \\| (.*) \\|$").FindAllStringSubmatch(string(readme), -1) {
		e := listed{level: row[2]}
		for attr := range strings.SplitSeq(row[3], ", ") {
			if name, ok := strings.CutPrefix(attr, "("); ok {
				e.optional = append(e.optional, strings.TrimSuffix(name, ")"))
			} else {
				e.required = append(e.required, attr)
			}
		}
		events[row[1]] = e
	}
	require.Len(t, events, 39)
	return events
}

// recorded is a slog.Handler that keeps what it is told.
type recorded struct {
	*records
	attrs []string
}

type records struct {
	mu   sync.Mutex
	list []record
}

type record struct {
	message, level, text string
	attrs                []string
}

func newRecorded() recorded { return recorded{records: &records{}} }

func (r recorded) Enabled(context.Context, slog.Level) bool { return true }
func (r recorded) WithGroup(string) slog.Handler            { return r }

func (r recorded) WithAttrs(attrs []slog.Attr) slog.Handler {
	r.attrs = slices.Clone(r.attrs)
	for _, a := range attrs {
		r.attrs = append(r.attrs, a.Key)
	}
	return r
}

func (r recorded) Handle(_ context.Context, rec slog.Record) error {
	out := record{message: rec.Message, level: rec.Level.String(), attrs: slices.Clone(r.attrs)}
	rec.Attrs(func(a slog.Attr) bool {
		out.attrs = append(out.attrs, a.Key)
		out.text += a.String() + " "
		return true
	})
	r.mu.Lock()
	defer r.mu.Unlock()
	r.list = append(r.list, out)
	return nil
}

func TestTheLogSaysWhatTheReadmeLists(t *testing.T) {
	events := listedEvents(t)
	log, stored := newRecorded(), newRecorded()
	synctest.Test(t, func(t *testing.T) { everythingHappens(t, slog.New(log), slog.New(stored)) })
	for _, r := range stored.list { // EVENTS.md lists none of those
		require.NotContains(t, r.text, "secret", r.message)
	}
	seen := make(map[string]bool)
	for _, r := range log.list {
		e, ok := events[r.message]
		if !ok {
			require.Equal(t, "WARN", r.level, "%q is not listed, nor a warning", r.message)
			continue
		}
		seen[r.message] = true
		require.Equal(t, e.level, r.level, r.message)
		require.NotContains(t, r.text, "secret", r.message)
		attrs := slices.DeleteFunc(r.attrs, func(a string) bool { return a == "worker" || slices.Contains(e.optional, a) })
		require.ElementsMatch(t, e.required, attrs, r.message)
	}
	for name := range events {
		require.True(t, seen[name], "%q is listed, but was not logged", name)
	}
}

type hushed struct{ Do, Secret string }

func (hushed) Kind() string { return "hushed" }

// everythingHappens has runs and workers meet everything that is logged. The store has a log of its own.
func everythingHappens(t *testing.T, log, stored *slog.Logger) {
	broken := errors.New("broken")
	s := handlers.NewSet("set", handlers.SetConfig{
		Attributes: handlers.Attributes{MaxRetries: 1, Timeout: handlers.NoTimeout},
		Hooks: handlers.Hooks{
			PreJob: func(ctx context.Context, r *handlers.Run) error {
				switch {
				case r.Job == "skip":
					return handlers.SkipRun("not today")
				case r.Job == "slow":
					<-ctx.Done()
					return ctx.Err()
				case r.Retry == 0:
					return broken
				}
				return nil
			},
			PostJob: func(context.Context, *handlers.Run) error { return handlers.Permanent(broken) },
		},
	})
	handlers.Handle(s, func(ctx context.Context, task *handlers.Task[hushed]) error {
		switch task.Args.Do {
		case "retry":
			if task.Retry == 0 {
				return broken
			}
		case "fail":
			return handlers.Permanent(broken)
		case "snooze":
			if snoozeOnce(task.ID) {
				return handlers.Snooze(time.Second)
			}
		case "now":
			_, err := task.EnqueueNow(ctx, hushed{Secret: "secret"}, nil)
			return err
		case "cancel":
			return handlers.CancelJob(broken)
		case "wait":
			<-ctx.Done()
			return ctx.Err()
		case "ignore":
			<-ctx.Done()
			time.Sleep(20 * time.Second)
		}
		return nil
	}, nil)
	reg, err := handlers.NewRegistry(s)
	require.NoError(t, err)
	shared := memstore.New(&memstore.Options{Logger: stored})
	l := &line{Store: shared}
	on := func(s store.Store) *syncjob.Manager {
		observer := observe.Observer{RunStarted: func(_ context.Context, e observe.Run) {
			if e.Job == "skip" {
				panic("not that one")
			}
		}}
		m, err := syncjob.New(s, syncjob.Config{Registry: reg, Logger: log, Observer: observer})
		require.NoError(t, err)
		t.Cleanup(func() { require.NoError(t, m.Close()) })
		return m
	}
	m, there := on(shared), on(l)
	start := func(job, do string) *syncjob.Run {
		run, err := m.Start(t.Context(), syncjob.Job{
			Name: job, Set: "set", Open: true, Root: hushed{Do: do, Secret: "secret"}, Headers: map[string]string{"token": "secret"},
		}, nil)
		require.NoError(t, err)
		return run
	}
	stop := work(t, there, syncjob.WorkerConfig{Name: "w1", Grace: syncjob.NoGrace})
	require.NoError(t, m.Pause(t.Context(), syncjob.Scope{Queue: "slow"}, "because"))
	_, err = semaphore.New(m.Store()).TryAcquire(t.Context(), "licence", nil)
	require.NoError(t, err)
	_, err = m.ReleaseSemaphores(t.Context(), "licence", "because", nil)
	require.NoError(t, err)
	require.NoError(t, m.Resume(t.Context(), syncjob.Scope{Queue: "slow"}))

	_, err = shared.EnsureJob(t.Context(), store.EnsureParams{
		Job: "broken", Type: states.JobPeriodic, Definition: []byte(`{"v":2,"root":{"payload":"secret"}}`), Schedule: []byte("often"),
	})
	require.NoError(t, err)
	run := start("all", "retry")
	for _, do := range []string{"", "fail", "snooze", "now"} {
		_, err = run.Enqueue(t.Context(), hushed{Do: do, Secret: "secret"}, nil)
		require.NoError(t, err)
	}
	_, err = run.Enqueue(t.Context(), hushed{Secret: "secret"}, &enqueue.Options{Expires: time.Now()})
	require.NoError(t, err)
	_, err = run.EnqueueAll(t.Context(), func(yield func(enqueue.Item, error) bool) {
		yield(enqueue.Task(hushed{Secret: "secret"}, &enqueue.Options{ID: "one"}), nil)
	}, nil)
	require.NoError(t, err)
	require.NoError(t, run.Seal(t.Context()))
	final, err := run.Wait(t.Context())
	require.NoError(t, err)
	require.Equal(t, states.Failed, final.Status)
	require.NoError(t, m.Worker("w1").Quiet(t.Context()))
	synctest.Wait()
	require.NoError(t, m.Worker("w1").Resume(t.Context()))
	_, err = start("skip", "").Wait(t.Context())
	require.NoError(t, err)
	_, err = start("cancelled", "cancel").Wait(t.Context())
	require.NoError(t, err)
	again, err := run.Redrive(t.Context(), nil)
	require.NoError(t, err)
	_, err = again.Wait(t.Context())
	require.NoError(t, err)

	failing, err := m.Start(t.Context(), syncjob.Job{
		Name: "failing", Set: "set", Root: hushed{Do: "fail", Secret: "secret"}, OnFailure: syncjob.OnFailureHold,
	}, nil)
	require.NoError(t, err)
	for range 2 { // its failures, and then that its hook gave up
		time.Sleep(time.Minute)
		require.NoError(t, failing.Accept(t.Context()))
	}
	_, err = failing.Wait(t.Context())
	require.NoError(t, err)

	stopped := start("stopped", "ignore")
	start("slow", "")
	time.Sleep(time.Minute)
	require.NoError(t, stopped.Stop(t.Context(), nil))
	require.NoError(t, m.Stop(t.Context(), "slow", nil))
	_, err = stopped.Wait(t.Context())
	require.NoError(t, err)

	_, err = m.Ensure(t.Context(), syncjob.Job{
		Name: "periodic", Set: "set", Root: hushed{Do: "wait", Secret: "secret"}, Schedule: &schedule.Schedule{Every: time.Minute},
	})
	require.NoError(t, err)
	time.Sleep(150 * time.Second)
	require.NoError(t, m.Stop(t.Context(), "periodic", nil))

	_, err = m.Configure(t.Context(), "set", nil, func(c *syncjob.Configuration) error {
		c.Set.MaxRunning = 1
		return nil
	})
	require.NoError(t, err)
	time.Sleep(time.Second)
	lost := start("lost", "wait")
	time.Sleep(time.Minute)
	damage(t, shared, store.ConfigurationID{Set: "set"})
	damage(t, shared, store.ConfigurationID{Run: runID(lost)})
	time.Sleep(time.Minute)
	l.cut.Store(true)
	stopHeir := work(t, m, syncjob.WorkerConfig{Name: "w2", Grace: syncjob.NoGrace})
	time.Sleep(2 * time.Minute)
	l.cut.Store(false)
	time.Sleep(2 * time.Minute)
	require.NoError(t, stop())
	require.NoError(t, stopHeir())

	ctx, failed := context.WithCancel(t.Context())
	scheduler, err := cron.New(m, cron.Config{OnError: func(string, error) { failed() }}, cron.Runner{
		Name: "broken", Trigger: cron.Trigger{Every: time.Hour}, Run: func(context.Context) error { return broken },
	})
	require.NoError(t, err)
	require.NoError(t, scheduler.Run(ctx))
}

var snoozed sync.Map

// snoozeOnce reports true the first time it is asked about a task.
func snoozeOnce(id string) bool {
	_, again := snoozed.LoadOrStore(id, true)
	return !again
}

func TestAtInfoOrdinaryTasksAreSilent(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		log := &atLevel{recorded: newRecorded(), level: slog.LevelInfo}
		m, err := syncjob.New(memstore.New(nil), syncjob.Config{Registry: set(t, handlers.SetConfig{}, noop), Logger: slog.New(log)})
		require.NoError(t, err)
		run, err := m.Start(t.Context(), syncjob.Job{Name: "a", Set: "tree", Root: node{N: 1000}}, nil)
		require.NoError(t, err)
		stop := work(t, m, syncjob.WorkerConfig{})
		_, err = run.Wait(t.Context())
		require.NoError(t, err)
		require.NoError(t, stop())
		require.NoError(t, m.Close())
		var said []string
		for _, r := range log.list {
			said = append(said, r.message)
		}
		require.Equal(t, []string{events.RunStarted, events.WorkerStarted, events.RunFinished, events.WorkerStopped}, said)
	})
}

type atLevel struct {
	recorded
	level slog.Level
}

func (l *atLevel) Enabled(_ context.Context, level slog.Level) bool { return level >= l.level }
func (l *atLevel) WithAttrs(attrs []slog.Attr) slog.Handler {
	return &atLevel{l.recorded.WithAttrs(attrs).(recorded), l.level}
}
