package handlers_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/rollcall-go/rollcall/handlers"
	"github.com/rollcall-go/rollcall/handlers/handlerstest"
	"github.com/rollcall-go/rollcall/store"
	"github.com/rollcall-go/rollcall/store/bounds"
	"github.com/rollcall-go/rollcall/store/verdicts"
)

type noteArgs struct{ Fail bool }

func (noteArgs) Kind() string { return "note" }

// noting is a set whose one handler is given.
func noting(declare func(set *handlers.Set), handler func(t *handlers.Task[noteArgs]) error) *handlers.Set {
	set := handlers.NewSet("notes", handlers.SetConfig{})
	declare(set)
	handlers.Handle(set, func(_ context.Context, t *handlers.Task[noteArgs]) error { return handler(t) }, nil)
	return set
}

func TestWritesTravelWithASuccessAndWithNothingElse(t *testing.T) {
	var list handlers.List[any]
	var fields handlers.Map[any]
	set := noting(func(set *handlers.Set) {
		list = handlers.NewList[any](set, "lines", &handlers.ValueOptions{Cap: 10})
		fields = handlers.NewMap[any](set, "fields", &handlers.ValueOptions{OfJob: true})
	}, func(task *handlers.Task[noteArgs]) error {
		if err := errors.Join(
			list.Append(task), list.Append(task, "a", 1), list.Append(task, nil),
			fields.Set(task, "x", true), fields.Set(task, "y", 2), fields.Remove(task, "x"),
		); err != nil {
			return err
		}
		if task.Args.Fail {
			return errors.New("failed after all")
		}
		return nil
	})
	run := store.RunID{Job: "test", Number: 1}
	got := handlerstest.Do(t, set, noteArgs{}, nil)
	require.NoError(t, got.Err)
	require.Equal(t, []store.Write{
		{Scope: store.RunScope(run), Name: "lines", Type: store.ValueList, Op: store.WriteAppend, Cap: 10,
			Data: []store.Datum{{Bytes: []byte(`"a"`)}, {Bytes: []byte("1")}, {Bytes: []byte("null")}}},
		{Scope: store.JobScope("test"), Name: "fields", Type: store.ValueMap, Op: store.WriteSet,
			Data: []store.Datum{{Field: "x", Bytes: []byte("true")}, {Field: "y", Bytes: []byte("2")}}},
		{Scope: store.JobScope("test"), Name: "fields", Type: store.ValueMap, Op: store.WriteRemove, Data: []store.Datum{{Field: "x"}}},
	}, got.Writes)
	require.Empty(t, handlerstest.Do(t, set, noteArgs{Fail: true}, nil).Writes)
}

func TestAWriteThatIsRefusedDoesNotHarmTheTask(t *testing.T) {
	var list handlers.List[any]
	var fields handlers.Map[any]
	var kept *handlers.Attempt
	foreign := handlers.NewList[any](handlers.NewSet("other", handlers.SetConfig{}), "lines", nil)
	set := noting(func(set *handlers.Set) {
		list, fields = handlers.NewList[any](set, "lines", nil), handlers.NewMap[any](set, "fields", nil)
	},
		func(task *handlers.Task[noteArgs]) error {
			kept = task.Attempt
			large := strings.Repeat("x", bounds.MaxOutcomeWriteLen)
			for field, err := range map[string]error{
				`Values["lines"]`:  foreign.Append(task, 1),
				`Values[""]`:       handlers.List[any]{}.Append(task, 1),
				"Items[1]":         list.Append(task, 1, func() {}),
				`Fields["f"]`:      fields.Set(task, "f", func() {}),
				`Values["fields"]`: fields.Set(task, "f", large),
				`Fields["` + strings.Repeat("f", 80) + `"]`: fields.Remove(task, strings.Repeat("f", bounds.MaxFieldLen+1)),
			} {
				var bad *store.FieldError
				require.ErrorAs(t, err, &bad, field)
				require.Equal(t, field, bad.Field)
			}
			many := make([]any, bounds.MaxData)
			require.NoError(t, list.Append(task, many[1:]...))
			require.ErrorIs(t, list.Append(task, 1, 2), store.ErrInvalid)
			return list.Append(task, 1)
		})
	got := handlerstest.Do(t, set, noteArgs{}, nil)
	require.NoError(t, got.Err)
	require.Equal(t, verdicts.Success, got.Outcome.Verdict)
	require.Len(t, got.Writes, 1)
	require.Len(t, got.Writes[0].Data, bounds.MaxData)
	require.ErrorIs(t, list.Append(kept, 1), handlers.ErrAttemptEnded)
}

func TestListsAndMapsThatCannotBeAreReported(t *testing.T) {
	_, err := handlers.NewRegistry(noting(func(set *handlers.Set) {
		handlers.NewList[any](set, "a b", nil)
		handlers.NewList[any](set, "twice", nil)
		handlers.NewList[any](set, "twice", nil)
		handlers.NewMap[any](set, "both", nil)
		handlers.NewList[any](set, "both", nil)
		handlers.NewList[any](set, "cap", &handlers.ValueOptions{Cap: -1})
		handlers.NewMap[any](set, "capped", &handlers.ValueOptions{Cap: 1})
		for i := range bounds.MaxValues {
			handlers.NewMap[any](set, fmt.Sprint("m", i), nil)
		}
	}, func(*handlers.Task[noteArgs]) error { return nil }))
	require.ErrorContains(t, err, `Values["a b"]`)
	require.ErrorContains(t, err, `Values["capped"].Cap is set for a map`)
	require.ErrorContains(t, err, `Values["both"] is declared in two ways`)
	require.ErrorContains(t, err, `Values["cap"].Cap is negative`)
	require.ErrorContains(t, err, "Values are more than 1000")
	require.NotContains(t, err.Error(), "twice")
}
