package syncjob_test

import (
	"context"
	"errors"
	"log/slog"
	"runtime"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/rollcall-go/rollcall/enqueue"
	"github.com/rollcall-go/rollcall/handlers"
	"github.com/rollcall-go/rollcall/store"
	"github.com/rollcall-go/rollcall/store/memstore"
	"github.com/rollcall-go/rollcall/syncjob"
	"github.com/rollcall-go/rollcall/syncjob/observe"
	"github.com/rollcall-go/rollcall/syncjob/states"
)

// badEnds are the ways in which a function may end other than by returning.
var badEnds = map[string]func(){
	"panic":  func() { panic(errors.New("broken")) },
	"Goexit": runtime.Goexit,
}

// rudeArgs are of a task whose encoding and decoding end as the test says.
type rudeArgs struct{ end func() }

func (rudeArgs) Kind() string { return "rude" }

func (a rudeArgs) MarshalJSON() ([]byte, error) {
	if a.end != nil {
		a.end()
	}
	return []byte("{}"), nil
}

// onDecode is what ends the decoding of rudeArgs; it is set by one test at a time.
var onDecode func()

func (*rudeArgs) UnmarshalJSON([]byte) error {
	onDecode()
	return nil
}

// rudePropagator ends in one of its methods.
type rudePropagator struct{ inject, extract func() }

func (p rudePropagator) Inject(context.Context, map[string]string) { p.inject() }

func (p rudePropagator) Extract(ctx context.Context, _ map[string]string) context.Context {
	p.extract()
	return ctx
}

// rudeLog ends whenever it is told something.
type rudeLog struct{ end func() }

func (l rudeLog) Enabled(context.Context, slog.Level) bool {
	l.end()
	return true
}

func (l rudeLog) Handle(context.Context, slog.Record) error {
	l.end()
	return nil
}

func (l rudeLog) WithAttrs([]slog.Attr) slog.Handler { return l }
func (l rudeLog) WithGroup(string) slog.Handler      { return l }

func nothing() {}

// rude is everything that one worker calls; each test replaces one part of it.
type rude struct {
	set  handlers.SetConfig
	kind handlers.KindOptions
	cfg  syncjob.Config

	handler func(context.Context, *handlers.Task[rudeArgs]) error
	decode  func()
}

// called are the callbacks that a worker calls, each with what its bad end makes of the one task of
// a run.
var called = map[string]struct {
	with func(r *rude, end func())
	want states.Status
}{
	"handler": {func(r *rude, end func()) {
		r.handler = func(context.Context, *handlers.Task[rudeArgs]) error { end(); return nil }
	}, states.Failed},
	"Middleware of the set": {
		func(r *rude, end func()) { r.set.Middleware = []handlers.Middleware{rudeMiddleware(end)} },
		states.Failed,
	},
	"Middleware of the kind": {
		func(r *rude, end func()) { r.kind.Middleware = []handlers.Middleware{rudeMiddleware(end)} },
		states.Failed,
	},
	"UnmarshalJSON": {func(r *rude, end func()) { r.decode = end }, states.Failed},
	"PreJob":        {func(r *rude, end func()) { r.set.Hooks.PreJob = rudeHook(end) }, states.Failed},
	"PostJob":       {func(r *rude, end func()) { r.set.Hooks.PostJob = rudeHook(end) }, states.Succeeded},
	"Before": {func(r *rude, end func()) {
		r.set.Hooks.Events = map[string]handlers.EventHooks{"e": {Before: rudeEvent(end)}}
	}, states.Failed},
	"After": {func(r *rude, end func()) {
		r.set.Hooks.Events = map[string]handlers.EventHooks{"e": {After: rudeEvent(end)}}
	}, states.Failed},
	"TimeoutFor": {func(r *rude, end func()) {
		r.kind.Attributes.TimeoutFor = func(*handlers.Attempt) time.Duration { end(); return 0 }
	}, states.Failed},
	"MaxRetriesFor": {func(r *rude, end func()) {
		r.handler = rudeFailure
		r.kind.Attributes.MaxRetries, r.kind.Attributes.MaxRetriesFor = 0, func(*handlers.Attempt) int { end(); return 0 }
	}, states.Failed},
	"BackoffFor": {func(r *rude, end func()) {
		r.handler = rudeFailure
		r.kind.Attributes.BackoffFor = func(*handlers.Attempt) time.Duration { end(); return 0 }
	}, states.Failed},
	"Extract": {func(r *rude, end func()) { r.cfg.Propagator = rudePropagator{nothing, end} }, states.Failed},
	"Logger":  {func(r *rude, end func()) { r.cfg.Logger = slog.New(rudeLog{end}) }, states.Succeeded},
	"AttemptStarted": {func(r *rude, end func()) {
		r.cfg.Observer.AttemptStarted = func(context.Context, observe.Attempt) { end() }
	}, states.Succeeded},
	"AttemptDone": {func(r *rude, end func()) {
		r.cfg.Observer.AttemptDone = func(context.Context, observe.Attempt) { end() }
	}, states.Succeeded},
	"Enqueued": {func(r *rude, end func()) {
		r.cfg.Observer.Enqueued = func(context.Context, observe.Enqueue) { end() }
	}, states.Succeeded},
	"RunStarted": {func(r *rude, end func()) {
		r.cfg.Observer.RunStarted = func(context.Context, observe.Run) { end() }
	}, states.Succeeded},
	"RunDone": {func(r *rude, end func()) { r.cfg.Observer.RunDone = func(context.Context, states.Run) { end() } }, states.Succeeded},
	"Fetched": {func(r *rude, end func()) {
		r.cfg.Observer.Fetched = func(context.Context, observe.Fetch) { end() }
	}, states.Succeeded},
	"Settled": {func(r *rude, end func()) {
		r.cfg.Observer.Settled = func(context.Context, observe.Settle) { end() }
	}, states.Succeeded},
	"StoreRetry": {func(r *rude, end func()) { r.cfg.Observer.StoreRetry = func(store.RetryEvent) { end() } }, states.Succeeded},
	"OnRetry":    {func(r *rude, end func()) { r.cfg.Retry.OnRetry = func(store.RetryEvent) { end() } }, states.Succeeded},
}

func rudeMiddleware(end func()) handlers.Middleware {
	return func(handlers.Handler) handlers.Handler {
		return func(context.Context, *handlers.Attempt) error { end(); return nil }
	}
}

func rudeHook(end func()) func(context.Context, *handlers.Run) error {
	return func(context.Context, *handlers.Run) error { end(); return nil }
}

func rudeEvent(end func()) func(context.Context, handlers.Event) error {
	return func(context.Context, handlers.Event) error { end(); return nil }
}

func rudeFailure(context.Context, *handlers.Task[rudeArgs]) error { return errors.New("fails") }

// TestWhateverACallbackDoesItsRunEndsAndTheWorkerLives has each callback end badly each time it is
// called, in a worker of one slot, with two runs after each other.
func TestWhateverACallbackDoesItsRunEndsAndTheWorkerLives(t *testing.T) {
	for name, c := range called {
		for way, end := range badEnds {
			t.Run(name+"/"+way, func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) { endsBadly(t, c.with, end, c.want) })
			})
		}
	}
}

// rudeManager is a manager of one set, of which a part ends as the test says.
func rudeManager(t *testing.T, with func(*rude, func()), end func()) *syncjob.Manager {
	r := rude{decode: nothing, handler: func(ctx context.Context, task *handlers.Task[rudeArgs]) error {
		return task.Event(ctx, "e", func(context.Context) error { return nil })
	}}
	r.kind.Attributes.Backoff = handlers.Exponential{}
	with(&r, end)
	onDecode = r.decode
	s := handlers.NewSet("rude", r.set)
	handlers.Handle(s, r.handler, &r.kind)
	reg, err := handlers.NewRegistry(s)
	require.NoError(t, err)
	r.cfg.Registry = reg
	m, err := syncjob.New(&forgetful{Store: memstore.New(nil), every: 2}, r.cfg)
	require.NoError(t, err)
	return m
}

func endsBadly(t *testing.T, with func(*rude, func()), end func(), want states.Status) {
	m := rudeManager(t, with, end)
	defer func() { require.NoError(t, m.Close()) }()
	stop := work(t, m, syncjob.WorkerConfig{Concurrency: 1})
	for range 2 {
		run, err := m.Start(t.Context(), syncjob.Job{Name: "a", Set: "rude", Root: rudeArgs{}}, nil)
		require.NoError(t, err)
		final, err := run.Wait(t.Context())
		require.NoError(t, err)
		require.Equal(t, want, final.Status)
	}
	require.NoError(t, stop())
}

// TestAPanicOfWhatIsEnqueuedClosesTheHold has a sequence, and all that is called for its items, end
// badly after a few chunks.
func TestAPanicOfWhatIsEnqueuedClosesTheHold(t *testing.T) {
	const items = 600
	for name, sequence := range map[string]func(p *rudePropagator, end func()) func(func(enqueue.Item, error) bool){
		"sequence": func(_ *rudePropagator, end func()) func(func(enqueue.Item, error) bool) {
			return func(yield func(enqueue.Item, error) bool) {
				leaves(items)(yield)
				end()
			}
		},
		"MarshalJSON": func(_ *rudePropagator, end func()) func(func(enqueue.Item, error) bool) {
			return func(yield func(enqueue.Item, error) bool) {
				leaves(items)(yield)
				yield(enqueue.Task(rudeArgs{end}, nil), nil)
			}
		},
		"Inject": func(p *rudePropagator, end func()) func(func(enqueue.Item, error) bool) {
			n := 0
			p.inject = func() {
				if n++; n > items {
					end()
				}
			}
			return leaves(items + 100)
		},
	} {
		for way, end := range badEnds {
			t.Run(name+"/"+way, func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					p := &rudePropagator{nothing, nothing}
					m, err := syncjob.New(memstore.New(nil), syncjob.Config{Propagator: p})
					require.NoError(t, err)
					defer func() { require.NoError(t, m.Close()) }()
					run, err := m.Start(t.Context(), syncjob.Job{Name: "a", Set: "tree", Open: true}, nil)
					require.NoError(t, err)
					seq := sequence(p, end)
					returned, went := false, make(chan struct{})
					go func() {
						defer close(went)
						defer func() { _ = recover() }() // as net/http does
						_, _ = run.EnqueueAll(t.Context(), seq, &enqueue.AllOptions{Hold: "mine"})
						returned = true
					}()
					<-went
					require.False(t, returned, "it goes on to the caller")
					state, err := run.State(t.Context())
					require.NoError(t, err)
					require.EqualValues(t, 512, state.Counts.Total, "the chunks before stand")
					require.EqualValues(t, 1, state.Holds, "only that of the open run is left")
				})
			})
		}
	}
}

// TestWhateverACallbackBlocksTheWorkerEnds has each callback block each time it is called, until
// the worker and its manager have ended. A callback that is a part of an attempt is given up as a
// handler is; any other holds up who calls it for a second.
func TestWhateverACallbackBlocksTheWorkerEnds(t *testing.T) {
	for name, c := range called {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				release := make(chan struct{})
				m := rudeManager(t, c.with, func() { <-release })
				ended := make(chan error, 1)
				w, err := m.NewWorker(syncjob.WorkerConfig{Concurrency: 1, Grace: syncjob.NoGrace})
				require.NoError(t, err)
				ctx, stop := context.WithCancel(t.Context())
				go func() { ended <- w.Run(ctx) }()
				_, err = m.Start(t.Context(), syncjob.Job{Name: "a", Set: "rude", Root: rudeArgs{}}, nil)
				require.NoError(t, err)
				time.Sleep(time.Minute)

				start := time.Now()
				stop()
				var stuck *syncjob.StuckError
				if err := <-ended; err != nil {
					require.ErrorAs(t, err, &stuck)
				}
				require.LessOrEqual(t, time.Since(start), 3*time.Second)
				start = time.Now()
				require.NoError(t, m.Close())
				require.LessOrEqual(t, time.Since(start), 3*time.Second)
				close(release)
			})
		})
	}
}
