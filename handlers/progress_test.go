package handlers_test

import (
	"context"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/rollcall-go/rollcall/enqueue"
	"github.com/rollcall-go/rollcall/handlers"
	"github.com/rollcall-go/rollcall/internal/execute"
	"github.com/rollcall-go/rollcall/store"
)

type progressArgs struct{}

func (progressArgs) Kind() string { return "work" }

// reports runs one attempt that the test writes.
func reports(t *testing.T, rt *runtime, handler func(ctx context.Context, a *handlers.Task[progressArgs]) error) {
	t.Helper()
	s := handlers.NewSet("set", handlers.SetConfig{})
	handlers.Handle(s, handler, nil)
	reg, err := handlers.NewRegistry(s)
	require.NoError(t, err)
	item, err := enqueue.Encode(t.Context(), &enqueue.Config{Router: reg}, "set", enqueue.Task(progressArgs{}, nil))
	require.NoError(t, err)
	d := store.Delivery{Lease: store.Lease{Lane: store.Lane{Run: store.RunID{Job: "job", Number: 1}, Route: item.Route}}, Task: item.Task}
	reg.Execute(t.Context(), d, execute.Config{Runtime: rt})
}

func TestTheRuntimeIsToldOfProgressOncePerReading(t *testing.T) {
	rt := &runtime{}
	reports(t, rt, func(ctx context.Context, a *handlers.Task[progressArgs]) error {
		for i := range int64(1000) {
			a.Progress(ctx, i, 1000, "")
		}
		require.Equal(t, 1, rt.told)
		require.Equal(t, store.Progress{Done: 999, Total: 1000}, rt.meter.Read())
		a.Progress(ctx, 999, 1000, "")
		require.Equal(t, 1, rt.told, "nothing new")
		a.Progress(ctx, 1000, 1000, "")
		require.Equal(t, 2, rt.told)
		return nil
	})
}

func TestWhatIsReportedTooLateIsDropped(t *testing.T) {
	rt := &runtime{}
	var late *handlers.Task[progressArgs]
	reports(t, rt, func(ctx context.Context, a *handlers.Task[progressArgs]) error {
		late = a
		a.Progress(ctx, 1, 2, "")
		ended, cancel := context.WithCancel(ctx)
		cancel()
		a.Progress(ended, 2, 2, "")
		require.EqualValues(t, 1, rt.meter.Read().Done)
		return nil
	})
	require.Zero(t, rt.meter.Read(), "the attempt has ended")
	late.Progress(t.Context(), 3, 3, "")
	require.Zero(t, rt.meter.Read())

	silent := &runtime{}
	reports(t, silent, func(_ context.Context, a *handlers.Task[progressArgs]) error { late = a; return nil })
	late.Progress(t.Context(), 1, 1, "")
	require.Zero(t, silent.told)
}

func TestMessagesOfProgressAreOneShortCleanLine(t *testing.T) {
	rt := &runtime{}
	reports(t, rt, func(ctx context.Context, a *handlers.Task[progressArgs]) error {
		for given, want := range map[string]string{
			"copying a\nb\tc":              "copying a b c",
			"\x1b[31mred":                  " [31mred",
			"bad \xff byte":                "bad  byte",
			strings.Repeat("ä", 150):       strings.Repeat("ä", 100),
			"x" + strings.Repeat("ä", 150): "x" + strings.Repeat("ä", 99),
		} {
			a.Progress(ctx, 0, 0, given)
			require.Equal(t, want, rt.meter.Read().Message)
		}
		a.Progress(ctx, -5, -1, "")
		require.Zero(t, rt.meter.Read())
		return nil
	})
}
