package handlers_test

import (
	"context"
	"encoding/json"
	"errors"
	"math"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/rollcall-go/rollcall/enqueue"
	"github.com/rollcall-go/rollcall/handlers"
	"github.com/rollcall-go/rollcall/store"
	"github.com/rollcall-go/rollcall/store/bounds"
)

func raw(context.Context, *handlers.Task[json.RawMessage]) error { return nil }

type valueKind struct{}

func (valueKind) Kind() string { return "value" }

func TestARegistryReportsEveryProblemAtOnce(t *testing.T) {
	bad := handlers.NewSet("bad set", handlers.SetConfig{Attributes: handlers.Attributes{
		Queue: "a:b", MaxRetries: -2, Timeout: -5, MaxDeliveries: -1, MaxSnoozes: -1,
		MaxRunning: -2, MaxRunningPerJob: -2, Rate: handlers.Rate{Per: -1, Burst: -1}, Weight: math.NaN(),
		Backoff: handlers.Exponential{First: -2, Factor: math.Inf(1), Jitter: 2, Cap: -1}, Params: func() {},
	}})
	handlers.HandleRaw(bad, "", raw, nil)
	handlers.HandleRaw(bad, store.KindPreJob, raw, nil)
	handlers.HandleRaw(bad, strings.Repeat("k", 10_000), raw, nil)
	handlers.HandleRaw(bad, "nil", nil, nil)
	handlers.HandleRaw(bad, "twice", raw, nil)
	handlers.HandleRaw(bad, "twice", raw, nil)
	handlers.HandleRaw(bad, "aliased", raw, &handlers.KindOptions{
		Aliases: []string{"twice", "{}", "aliased"},
		Attributes: handlers.Attributes{
			MaxRetries: 1, MaxRetriesFor: func(*handlers.Attempt) int { return 1 },
			Timeout: 1, TimeoutFor: func(*handlers.Attempt) time.Duration { return 1 },
			Backoff: handlers.Exponential{Factor: 3}, BackoffFor: func(*handlers.Attempt) time.Duration { return 1 },
			Rate: handlers.Rate{Events: -2}, Weight: 2, Params: strings.Repeat("p", 64<<10),
		},
	})
	handlers.HandleRaw(bad, "fractions", raw, &handlers.KindOptions{Attributes: handlers.Attributes{
		Backoff: handlers.Exponential{Factor: math.NaN(), Jitter: math.NaN()}, Rate: handlers.Rate{Events: 1, Per: bounds.MaxPer + 1},
	}})
	handlers.HandleRaw(bad, "zeros", raw, &handlers.KindOptions{Attributes: handlers.Attributes{
		Backoff: handlers.Exponential{Factor: math.Copysign(0, -1), Jitter: math.Copysign(0, -1)},
	}})
	handlers.HandleRaw(bad, "wrapped", raw, &handlers.KindOptions{
		Middleware: []handlers.Middleware{func(handlers.Handler) handlers.Handler { return nil }},
	})
	handlers.Handle(bad, func(context.Context, *handlers.Task[*valueKind]) error { return nil }, nil)
	handlers.Handle(bad, func(context.Context, *handlers.Task[enqueue.Args]) error { return nil }, nil)

	good := handlers.NewSet("good", handlers.SetConfig{})
	_, err := handlers.NewRegistry(bad, nil, good, good)
	require.ErrorIs(t, err, store.ErrInvalid)
	for _, problem := range []string{
		"Sets[0].Name may hold only",
		"Sets[0].Attributes.Queue may hold only",
		"Sets[0].Attributes.MaxRetries is negative",
		"Sets[0].Attributes.Timeout is negative",
		"Sets[0].Attributes.MaxDeliveries is negative",
		"Sets[0].Attributes.MaxSnoozes is negative",
		"Sets[0].Attributes.MaxRunning is negative",
		"Sets[0].Attributes.MaxRunningPerJob is negative",
		"Sets[0].Attributes.Rate.Events is missing",
		"Sets[0].Attributes.Rate.Per is negative",
		"Sets[0].Attributes.Rate.Burst is negative",
		"Sets[0].Attributes.Weight is not within 0.000001 to 1000000",
		"Sets[0].Attributes.Backoff.First is negative",
		"Sets[0].Attributes.Backoff.Factor is not a positive number",
		"Sets[0].Attributes.Backoff.Jitter is neither within 0 to 1",
		"Sets[0].Attributes.Backoff.Cap is negative",
		"Sets[0].Attributes.Params do not encode as JSON",
		`Sets[0].Kinds[""] is empty`,
		`Sets[0].Kinds["@pre"] may hold only`,
		"is longer than 64 bytes",
		`Sets[0].Kinds["nil"] has a nil handler`,
		`Sets[0].Kinds["twice"] repeats "twice"`,
		`Sets[0].Kinds["aliased"].Aliases[0] repeats "twice"`,
		`Sets[0].Kinds["aliased"].Aliases[1] may hold only`,
		`Sets[0].Kinds["aliased"].Aliases[2] repeats "aliased"`,
		`Sets[0].Kinds["aliased"].Attributes.MaxRetriesFor cannot be set together with MaxRetries`,
		`Sets[0].Kinds["aliased"].Attributes.TimeoutFor cannot be set together with Timeout`,
		`Sets[0].Kinds["aliased"].Attributes.BackoffFor cannot be set together with Backoff`,
		`Sets[0].Kinds["aliased"].Attributes.Rate.Events is negative`,
		`Sets[0].Kinds["aliased"].Attributes.Weight is an attribute of sets`,
		`Sets[0].Kinds["aliased"].Attributes.Params take 65538 bytes`,
		`Sets[0].Kinds["fractions"].Attributes.Backoff.Factor is not a positive number`,
		`Sets[0].Kinds["fractions"].Attributes.Backoff.Jitter is neither`,
		`Sets[0].Kinds["fractions"].Attributes.Rate.Per is not within`,
		`Sets[0].Kinds["zeros"].Attributes.Backoff.Factor is not a positive number`,
		`Sets[0].Kinds["zeros"].Attributes.Backoff.Jitter is neither`,
		`Sets[0].Kinds["wrapped"].Middleware returns a nil handler`,
		"Sets[0].Kinds[*handlers_test.valueKind] cannot tell its kind",
		"Sets[0].Kinds[<nil>] cannot tell its kind",
		"Sets[1] is nil",
		`Sets[3].Name repeats "good"`,
	} {
		require.ErrorContains(t, err, problem)
	}
}

func TestARegistryDoesNotSeeLaterChangesOfItsSets(t *testing.T) {
	set := handlers.NewSet("ingest", handlers.SetConfig{})
	handlers.HandleRaw(set, "scan", raw, &handlers.KindOptions{Aliases: []string{"walk"}})
	r, err := handlers.NewRegistry(set)
	require.NoError(t, err)
	handlers.HandleRaw(set, "later", raw, nil)
	kept, ok := r.Set("ingest")
	require.True(t, ok)
	handlers.HandleRaw(kept, "later", raw, nil)

	kept, _ = r.Set("ingest")
	require.Equal(t, "ingest", kept.Name())
	require.Equal(t, []string{"scan", "walk"}, kept.Kinds())
	_, err = r.Queue("ingest", "later")
	require.ErrorIs(t, err, store.ErrInvalid)
	_, ok = r.Set("other")
	require.False(t, ok)
}

func TestQueuesAreThoseOfTheKinds(t *testing.T) {
	ingest := handlers.NewSet("ingest", handlers.SetConfig{Attributes: handlers.Attributes{Queue: "path"}})
	handlers.HandleRaw(ingest, "scan", raw, &handlers.KindOptions{Aliases: []string{"walk"}})
	handlers.HandleRaw(ingest, "file", raw, &handlers.KindOptions{Attributes: handlers.Attributes{Queue: "file"}})
	mail := handlers.NewSet(
		"mail",
		handlers.SetConfig{Hooks: handlers.Hooks{PostJob: func(context.Context, *handlers.Run) error { return nil }}},
	)
	handlers.HandleRaw(mail, "send", raw, nil)
	r, err := handlers.NewRegistry(ingest, mail)
	require.NoError(t, err)

	require.Equal(t, []string{"ingest", "mail"}, r.Sets())
	require.Equal(t, []string{"default", "file", "path"}, r.Queues())
	for kind, queue := range map[string]string{"scan": "path", "walk": "path", "file": "file"} {
		got, err := r.Queue("ingest", kind)
		require.NoError(t, err)
		require.Equal(t, queue, got)
	}
	pre, post := r.Hooks("mail")
	require.False(t, pre)
	require.True(t, post)

	require.Equal(t, []store.Route{
		{Queue: "q", Set: "ingest", Kind: "file"}, {Queue: "q", Set: "ingest", Kind: "scan"}, {Queue: "q", Set: "ingest", Kind: "walk"},
		{Queue: "q", Set: "ingest", Kind: "@pre"}, {Queue: "q", Set: "ingest", Kind: "@post"},
		{Queue: "q", Set: "mail", Kind: "send"}, {Queue: "q", Set: "mail", Kind: "@pre"}, {Queue: "q", Set: "mail", Kind: "@post"},
	}, r.Routes("q"), "any task may name a queue of its own")
	require.Len(t, r.Routes("a", "b"), 16)
}

func TestUnknownSetsAndKindsNameTheField(t *testing.T) {
	r := registry(t, handlers.SetConfig{}, returning(nil), nil)
	var field *store.FieldError
	_, err := r.Queue("other", "scan")
	require.ErrorAs(t, err, &field)
	require.Equal(t, "Set", field.Field)
	_, err = r.Queue("ingest", "other")
	require.ErrorAs(t, err, &field)
	require.Equal(t, "Kind", field.Field)
	require.ErrorIs(t, r.Validate(t.Context(), store.RunRecord{Set: "other"}), store.ErrInvalid)
}

func TestValidateCallsTheHookOfTheSet(t *testing.T) {
	refused := errors.New("no such directory")
	set := handlers.NewSet("ingest", handlers.SetConfig{Hooks: handlers.Hooks{
		Validate: func(_ context.Context, r *handlers.Run) error {
			var args scanArgs
			if err := r.DecodeArgs(&args); err != nil {
				return err
			}
			switch args.Dir {
			case "panic":
				panic("at the wrong moment")
			case "":
				return refused
			}
			return nil
		},
	}})
	r, err := handlers.NewRegistry(set)
	require.NoError(t, err)
	validate := func(args string) error {
		return r.Validate(t.Context(), store.RunRecord{Set: "ingest", Args: []byte(args)})
	}
	require.NoError(t, validate(`{"dir":"a"}`))
	require.ErrorIs(t, validate(``), refused)
	require.ErrorContains(t, validate(`{"dir":1}`), "decode arguments")
	var p *handlers.PanicError
	require.ErrorAs(t, validate(`{"dir":"panic"}`), &p)
}
