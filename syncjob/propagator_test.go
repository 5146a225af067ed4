package syncjob_test

import (
	"context"
	"sync"
	"testing"
	"testing/synctest"

	"github.com/stretchr/testify/require"

	"github.com/rollcall-go/rollcall/enqueue"
	"github.com/rollcall-go/rollcall/handlers"
	"github.com/rollcall-go/rollcall/store/memstore"
	"github.com/rollcall-go/rollcall/syncjob"
	"github.com/rollcall-go/rollcall/syncjob/states"
)

type traceKey struct{}

func withTrace(ctx context.Context, trace string) context.Context {
	return context.WithValue(ctx, traceKey{}, trace)
}

// tracer carries the value of traceKey in the header "trace".
type tracer struct{}

func (tracer) Inject(ctx context.Context, headers map[string]string) {
	if v, ok := ctx.Value(traceKey{}).(string); ok {
		headers["trace"] = v
	}
}

func (tracer) Extract(ctx context.Context, headers map[string]string) context.Context {
	if v, ok := headers["trace"]; ok {
		return withTrace(ctx, v)
	}
	return ctx
}

func TestATraceGoesFromEveryEnqueueToTheAttempt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var mu sync.Mutex
		seen := make(map[string]any)
		see := func(ctx context.Context, who string) {
			mu.Lock()
			defer mu.Unlock()
			seen[who] = ctx.Value(traceKey{})
		}
		span := func(next handlers.Handler) handlers.Handler { // as middleware for tracing would
			return func(ctx context.Context, a *handlers.Attempt) error {
				see(ctx, a.ID)
				return next(withTrace(ctx, ctx.Value(traceKey{}).(string)+">"+a.ID), a)
			}
		}
		s := handlers.NewSet("tree", handlers.SetConfig{
			Middleware: []handlers.Middleware{span},
			Hooks: handlers.Hooks{
				PreJob:  func(ctx context.Context, _ *handlers.Run) error { see(ctx, "pre"); return nil },
				PostJob: func(ctx context.Context, _ *handlers.Run) error { see(ctx, "post"); return nil },
			},
		})
		handlers.Handle(s, func(ctx context.Context, task *handlers.Task[node]) error {
			if _, err := task.Enqueue(ctx, leaf{}, &enqueue.Options{ID: "child"}); err != nil {
				return err
			}
			_, err := task.EnqueueNow(ctx, leaf{}, &enqueue.Options{ID: "now"})
			return err
		}, nil)
		handlers.Handle(s, noop, nil)
		reg, err := handlers.NewRegistry(s)
		require.NoError(t, err)
		m, err := syncjob.New(memstore.New(nil), syncjob.Config{Registry: reg, Propagator: tracer{}})
		require.NoError(t, err)
		t.Cleanup(func() { require.NoError(t, m.Close()) })

		run, err := m.Start(withTrace(t.Context(), "start"), syncjob.Job{Name: "a", Set: "tree", Root: node{}, Open: true}, nil)
		require.NoError(t, err)
		_, err = run.Enqueue(withTrace(t.Context(), "one"), leaf{}, &enqueue.Options{ID: "one"})
		require.NoError(t, err)
		_, err = run.EnqueueAll(withTrace(t.Context(), "all"), func(yield func(enqueue.Item, error) bool) {
			yield(enqueue.Task(leaf{}, &enqueue.Options{ID: "all"}), nil)
		}, nil)
		require.NoError(t, err)
		require.NoError(t, run.Seal(t.Context()))
		work(t, m, syncjob.WorkerConfig{})
		final, err := run.Wait(t.Context())
		require.NoError(t, err)
		require.Equal(t, states.Succeeded, final.Status)
		require.Equal(t, "start", final.Headers["trace"])
		require.Equal(t, map[string]any{
			"pre": "start", "root": "start", "child": "start>root", "now": "start>root", "one": "one", "all": "all", "post": "start",
		}, seen)
	})
}

func TestADeclarationBelongsToNoTrace(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m, err := syncjob.New(memstore.New(nil), syncjob.Config{Registry: set(t, handlers.SetConfig{}, noop), Propagator: tracer{}})
		require.NoError(t, err)
		t.Cleanup(func() { require.NoError(t, m.Close()) })
		job := syncjob.Job{Name: "a", Set: "tree", Root: leaf{}, Open: true}
		_, err = m.Ensure(withTrace(t.Context(), "first"), job)
		require.NoError(t, err)
		result, err := m.Ensure(withTrace(t.Context(), "second"), job)
		require.NoError(t, err)
		require.Equal(t, syncjob.EnsureUnchanged, result)
	})
}
