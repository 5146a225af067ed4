package guard_test

import (
	"context"
	"errors"
	"log/slog"
	"runtime"
	"testing"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/rollcall-go/rollcall/internal/guard"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var errPlain = errors.New("plain")

func TestACallTellsHowItEnded(t *testing.T) {
	unused := func() { t.Error("the goroutine goes on") }
	require.NoError(t, guard.Call(func() error { return nil }, unused))
	require.Equal(t, errPlain, guard.Call(func() error { return errPlain }, unused))
	err := guard.Call(func() error { panic(errPlain) }, unused)
	var p *guard.PanicError
	require.ErrorAs(t, err, &p)
	require.ErrorIs(t, err, errPlain)
	require.Contains(t, string(p.Stack), "guard_test.go")

	exited, went := make(chan struct{}), false
	go func() {
		_ = guard.Call(func() error {
			runtime.Goexit()
			return nil
		}, func() { close(exited) })
		went = true
	}()
	<-exited
	require.False(t, went)
}

func TestWhatRunsApartEndsAlone(t *testing.T) {
	require.NoError(t, guard.Apart(func() error { return nil }))
	require.Equal(t, errPlain, guard.Apart(func() error { return errPlain }))
	require.ErrorIs(t, guard.Apart(func() error { panic(errPlain) }), errPlain)
	require.Equal(t, guard.ErrGoexit, guard.Tell(&guard.Patient{}, func(int) { runtime.Goexit() }, 1))
}

// rude is a handler each of whose methods ends badly.
type rude struct{ end func() }

func (r rude) Enabled(context.Context, slog.Level) bool {
	r.end()
	return true
}

func (r rude) Handle(context.Context, slog.Record) error {
	r.end()
	return nil
}

func (r rude) WithAttrs([]slog.Attr) slog.Handler {
	r.end()
	return r
}

func (r rude) WithGroup(string) slog.Handler {
	r.end()
	return r
}

func TestALoggerNeverEndsWhoLogs(t *testing.T) {
	for name, end := range map[string]func(){"panic": func() { panic(errPlain) }, "Goexit": runtime.Goexit} {
		t.Run(name, func(t *testing.T) {
			l := guard.Logger(slog.New(rude{end}))
			require.Same(t, l, guard.Logger(l))
			l.With("a", 1).WithGroup("g").ErrorContext(t.Context(), "text")
			require.Error(t, l.Handler().Handle(t.Context(), slog.Record{}))
			require.False(t, l.Enabled(t.Context(), slog.LevelError))
		})
	}
	require.False(t, guard.Enabled(t.Context(), guard.Logger(slog.New(rude{func() { panic(1) }})), slog.LevelError))
	require.True(t, guard.Enabled(t.Context(), guard.Logger(slog.New(rude{func() {}})), slog.LevelError))
	quiet := slog.New(slog.DiscardHandler)
	require.Same(t, quiet, guard.Logger(quiet))
}

func BenchmarkApart(b *testing.B) {
	for b.Loop() {
		_ = guard.Apart(func() error { return nil })
	}
}

func BenchmarkCall(b *testing.B) {
	for b.Loop() {
		_ = guard.Call(func() error { return nil }, func() {})
	}
}
