package script_test

import (
	"context"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/rollcall-go/rollcall/handlers"
	"github.com/rollcall-go/rollcall/handlers/handlerstest"
	"github.com/rollcall-go/rollcall/handlers/script"
)

// inAttempt runs a benchmark inside of one attempt of a task.
func inAttempt(b *testing.B, cfg handlers.SetConfig, src string, each func(ctx context.Context, a *handlers.Attempt) error) {
	set := newSet(b, cfg, func(ctx context.Context, t *handlers.Task[file]) error {
		for b.Loop() {
			if err := each(ctx, t.Attempt); err != nil {
				return err
			}
		}
		return nil
	})
	res := handlerstest.Do(b, set, file{Path: "/a", Size: 5}, &handlerstest.Options{Configuration: source(src)})
	require.NoError(b, res.Err)
}

func create(ctx context.Context, a *handlers.Attempt) error {
	return a.Event(ctx, "file.create", func(context.Context) error { return nil })
}

const hooks = "def pre_file_create(event):\n  if event.task.kind != 'file': fail('kind')\n"

// An event with a hook before it: in Go, in a script, and with a script that has no hook for it.
func BenchmarkHook(b *testing.B) {
	code := handlers.SetConfig{Hooks: handlers.Hooks{Events: map[string]handlers.EventHooks{
		"file.create": {Before: func(_ context.Context, e handlers.Event) error {
			if e.Kind != "file" {
				return context.Canceled
			}
			return nil
		}},
	}}}
	b.Run("go", func(b *testing.B) { inAttempt(b, code, "", create) })
	b.Run("script", func(b *testing.B) { inAttempt(b, handlers.SetConfig{}, hooks, create) })
	b.Run("without", func(b *testing.B) { inAttempt(b, handlers.SetConfig{}, "def pre_file_modify(event): pass", create) })
}

func include(ctx context.Context, _ *handlers.Attempt) error {
	_, err := script.Call(ctx, "include", true, "/a/b/c.tmp")
	return err
}

// A filter: in a script, and where there is none.
func BenchmarkCall(b *testing.B) {
	b.Run("script", func(b *testing.B) {
		inAttempt(b, handlers.SetConfig{}, "def include(path): return not path.endswith('.tmp')", include)
	})
	b.Run("none", func(b *testing.B) { inAttempt(b, handlers.SetConfig{}, "", include) })
}

// A script of some length is compiled once for each version.
func BenchmarkCompile(b *testing.B) {
	src := hooks
	for range 100 {
		src += "def _f" + string(rune('a'+len(src)%26)) + string(rune('a'+len(src)/26%26)) +
			string(rune('a'+len(src)/676%26)) + "(x):\n  return [i * x for i in range(x) if i != x]\n"
	}
	set, err := script.NewSet("a", handlers.SetConfig{}, options)
	require.NoError(b, err)
	reg, err := handlers.NewRegistry(set)
	require.NoError(b, err)
	n := 0
	for b.Loop() {
		n++ // a comment makes another version
		require.NoError(b, reg.CheckConfiguration("a", source(src+"#"+string(rune('a'+n%26))+string(rune('a'+n/26%26)))))
	}
}
