package handlers_test

import (
	"context"
	"errors"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/rollcall-go/rollcall/handlers"
	"github.com/rollcall-go/rollcall/store"
	"github.com/rollcall-go/rollcall/store/verdicts"
)

type pathKey struct{}

func TestAnEventRunsBetweenItsHooks(t *testing.T) {
	refused, broken, late := errors.New("refused"), errors.New("broken"), errors.New("late")
	for name, test := range map[string]struct {
		before, fn, after error
		steps             []string
		err               error
	}{
		"all pass":       {nil, nil, nil, []string{"before", "fn", "after"}, nil},
		"before refuses": {refused, nil, nil, []string{"before"}, refused},
		"fn fails":       {nil, broken, nil, []string{"before", "fn"}, broken},
		"after fails":    {nil, nil, late, []string{"before", "fn", "after"}, late},
	} {
		t.Run(name, func(t *testing.T) {
			var steps []string
			hook := func(step string, err error) func(context.Context, handlers.Event) error {
				return func(ctx context.Context, e handlers.Event) error {
					require.Equal(t, "file.create", e.Name)
					require.Equal(t, "task-1", e.ID, "a hook sees the attempt")
					require.Equal(t, "a/b", ctx.Value(pathKey{}), "and what the event is about")
					steps = append(steps, step)
					return err
				}
			}
			r := registry(t, handlers.SetConfig{Hooks: handlers.Hooks{Events: map[string]handlers.EventHooks{
				"file.create": {Before: hook("before", test.before), After: hook("after", test.after)},
				"file.delete": {Before: hook("never", nil)},
			}}}, func(ctx context.Context, task *handlers.Task[scanArgs]) error {
				ctx = context.WithValue(ctx, pathKey{}, task.Args.Dir)
				err := task.Event(ctx, "file.create", func(ctx context.Context) error {
					require.Equal(t, "a/b", ctx.Value(pathKey{}))
					steps = append(steps, "fn")
					return test.fn
				})
				require.Equal(t, test.err, err, "the error is returned as it is")
				return nil
			}, nil)
			require.Equal(t, verdicts.Success, executeScan(t.Context(), r, store.Task{}).Verdict)
			require.Equal(t, test.steps, steps)
		})
	}
}

func TestAnEventWithoutHooksOnlyHappens(t *testing.T) {
	hooks := map[string]handlers.EventHooks{"directory.create": {}}
	happened := 0
	r := registry(
		t,
		handlers.SetConfig{Hooks: handlers.Hooks{Events: hooks}},
		func(ctx context.Context, task *handlers.Task[scanArgs]) error {
			for _, name := range []string{"file.create", "directory.create", ""} {
				require.NoError(t, task.Event(ctx, name, func(context.Context) error { happened++; return nil }))
				require.ErrorIs(t, task.Event(ctx, name, nil), store.ErrInvalid)
			}
			return nil
		},
		nil,
	).With()
	hooks["file.create"] = handlers.EventHooks{Before: func(context.Context, handlers.Event) error { return errBroken }} // too late
	require.Equal(t, verdicts.Success, executeScan(t.Context(), r, store.Task{}).Verdict)
	require.Equal(t, 3, happened)
}

func TestAPanicOfAnEventHookFailsTheAttempt(t *testing.T) {
	r := registry(t, handlers.SetConfig{Hooks: handlers.Hooks{Events: map[string]handlers.EventHooks{
		"file.create": {Before: func(context.Context, handlers.Event) error { panic("no disk") }},
	}}}, func(ctx context.Context, task *handlers.Task[scanArgs]) error {
		return task.Event(ctx, "file.create", func(context.Context) error { return nil })
	}, nil)
	out := executeScan(t.Context(), r, store.Task{})
	require.Equal(t, verdicts.Retry, out.Verdict)
	require.Equal(t, "panic: no disk", out.Error)
}
