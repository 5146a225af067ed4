package handlers_test

import (
	"context"
	"errors"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/rollcall-go/rollcall/handlers"
	"github.com/rollcall-go/rollcall/handlers/handlerstest"
	"github.com/rollcall-go/rollcall/store"
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
	var list handlers.List
	var fields handlers.Map
	set := noting(func(set *handlers.Set) {
		list = set.List("lines", &handlers.ListOptions{Cap: 10})
		fields = set.Map("fields", &handlers.MapOptions{OfJob: true})
	}, func(task *handlers.Task[noteArgs]) error {
		if err := errors.Join(
			task.Append(list), task.Append(list, "a", 1), task.Append(list, nil),
			task.Put(fields, "x", true), task.Put(fields, "y", 2), task.Remove(fields, "x"),
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
	var list handlers.List
	var fields handlers.Map
	var kept *handlers.Attempt
	foreign := handlers.NewSet("other", handlers.SetConfig{}).List("lines", nil)
	set := noting(func(set *handlers.Set) { list, fields = set.List("lines", nil), set.Map("fields", nil) },
		func(task *handlers.Task[noteArgs]) error {
			kept = task.Attempt
			large := strings.Repeat("x", store.MaxOutcomeWriteLen)
			for field, err := range map[string]error{
				`Values["lines"]`:  task.Append(foreign, 1),
				`Values[""]`:       task.Append(handlers.List{}, 1),
				"Items[1]":         task.Append(list, 1, func() {}),
				"f":                task.Put(fields, "f", func() {}),
				`Values["fields"]`: task.Put(fields, "f", large),
				"Data[0]":          task.Remove(fields, strings.Repeat("f", store.MaxFieldLen+1)),
			} {
				var bad *store.FieldError
				require.ErrorAs(t, err, &bad, field)
				require.Equal(t, field, bad.Field)
			}
			many := make([]any, store.MaxData)
			require.NoError(t, task.Append(list, many[1:]...))
			require.ErrorIs(t, task.Append(list, 1, 2), store.ErrInvalid)
			return task.Append(list, 1)
		})
	got := handlerstest.Do(t, set, noteArgs{}, nil)
	require.NoError(t, got.Err)
	require.Equal(t, store.VerdictSuccess, got.Outcome.Verdict)
	require.Len(t, got.Writes, 1)
	require.Len(t, got.Writes[0].Data, store.MaxData)
	require.ErrorIs(t, kept.Append(list, 1), handlers.ErrAttemptEnded)
}

func TestListsAndMapsThatCannotBeAreReported(t *testing.T) {
	_, err := handlers.NewRegistry(noting(func(set *handlers.Set) {
		set.List("a b", nil)
		set.List("twice", nil)
		set.List("twice", nil)
		set.Map("both", nil)
		set.List("both", nil)
		set.List("cap", &handlers.ListOptions{Cap: -1})
	}, func(*handlers.Task[noteArgs]) error { return nil }))
	require.ErrorContains(t, err, `Values["a b"]`)
	require.ErrorContains(t, err, `Values["both"] is declared otherwise, too`)
	require.ErrorContains(t, err, `Values["cap"].Cap is negative`)
	require.NotContains(t, err.Error(), "twice")
}
