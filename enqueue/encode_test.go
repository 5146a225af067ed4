package enqueue_test

import (
	"encoding/json"
	"errors"
	"maps"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/rollcall-go/rollcall/enqueue"
	"github.com/rollcall-go/rollcall/internal/encode"
	"github.com/rollcall-go/rollcall/store"
	"github.com/rollcall-go/rollcall/store/bounds"
)

type router map[string]string

func (r router) Queue(set, kind string) (string, error) {
	if queue, ok := r[set+"."+kind]; ok {
		return queue, nil
	}
	return "", &store.FieldError{Field: "Kind", Reason: "has no handler"}
}

type brokenArgs struct{}

func (brokenArgs) Kind() string                 { return "broken" }
func (brokenArgs) MarshalJSON() ([]byte, error) { return nil, errors.New("cannot") }

func TestEncodeCarriesEveryOption(t *testing.T) {
	at := time.Date(2030, 1, 2, 3, 4, 5, 0, time.UTC)
	headers := map[string]string{"trace": "abc"}
	item, err := enqueue.Encode(t.Context(), nil, "ingest", enqueue.Task(fileArgs{"a"}, &enqueue.Options{
		Queue: "slow", At: at, ID: "a b", IDFor: time.Hour, Headers: headers, MaxRetries: enqueue.NoRetries, Timeout: time.Minute,
	}))
	require.NoError(t, err)
	require.Equal(t, store.Route{Queue: "slow", Set: "ingest", Kind: "file"}, item.Route)
	require.Equal(t, at, item.At)
	require.Equal(t, "a b", item.Task.ID)
	require.True(t, item.Task.Claimed)
	require.Equal(t, time.Hour, item.Task.Keep)
	require.JSONEq(t, `{"path":"a"}`, string(item.Task.Payload))
	overrides, err := encode.DecodeOverrides(item.Task.Attributes)
	require.NoError(t, err)
	require.Equal(t, encode.Overrides{MaxRetries: enqueue.NoRetries, Timeout: time.Minute}, overrides)

	kept := maps.Clone(headers)
	headers["trace"] = "changed by the caller"
	require.Equal(t, kept, item.Task.Headers)
}

func TestAnOrdinaryTaskCarriesNoAttributesAndARandomID(t *testing.T) {
	seen := map[string]bool{}
	for range 1000 {
		item, err := enqueue.Encode(t.Context(), nil, "ingest", file("a"))
		require.NoError(t, err)
		require.Nil(t, item.Task.Attributes)
		require.False(t, item.Task.Claimed)
		require.Regexp(t, `^[0-9a-z]{20}$`, item.Task.ID)
		require.False(t, seen[item.Task.ID])
		seen[item.Task.ID] = true
	}
}

func TestTheQueueComesFromTheTaskThenTheRouterThenTheDefault(t *testing.T) {
	queue := func(e *enqueue.Config, opts *enqueue.Options) string {
		item, err := enqueue.Encode(t.Context(), e, "ingest", enqueue.Task(fileArgs{}, opts))
		require.NoError(t, err)
		return item.Route.Queue
	}
	routed := &enqueue.Config{Router: router{"ingest.file": "files"}}
	require.Equal(t, "mine", queue(routed, &enqueue.Options{Queue: "mine"}))
	require.Equal(t, "files", queue(routed, nil))
	require.Equal(t, enqueue.DefaultQueue, queue(&enqueue.Config{}, nil))

	_, err := enqueue.Encode(t.Context(), routed, "ingest", enqueue.Raw("scan", nil, &enqueue.Options{Queue: "mine"}))
	require.ErrorIs(t, err, store.ErrInvalid, "a queue of its own does not make an unknown kind known")
}

func TestRawCarriesJSONAsItIs(t *testing.T) {
	payload := json.RawMessage(`[1, 2]`)
	it := enqueue.Raw("file", payload, nil)
	payload[1] = '9'
	item, err := enqueue.Encode(t.Context(), nil, "ingest", it)
	require.NoError(t, err)
	require.Equal(t, `[1, 2]`, string(item.Task.Payload))

	item, err = enqueue.Encode(t.Context(), nil, "ingest", enqueue.Raw("file", nil, nil))
	require.NoError(t, err)
	require.Equal(t, "null", string(item.Task.Payload))
}

func TestAnItemServesAsArguments(t *testing.T) {
	raw := enqueue.Raw("file", json.RawMessage(`{"path":"a"}`), &enqueue.Options{ID: "kept"})
	require.Equal(t, "file", raw.Kind())
	for _, args := range []enqueue.Args{raw, &raw} {
		item, err := enqueue.Encode(t.Context(), nil, "ingest", enqueue.Task(args, nil))
		require.NoError(t, err)
		require.Equal(t, "kept", item.Task.ID)
		require.Equal(t, "file", item.Route.Kind)
		require.JSONEq(t, `{"path":"a"}`, string(item.Task.Payload))
		item, err = enqueue.Encode(t.Context(), nil, "ingest", enqueue.Task(args, &enqueue.Options{ID: "other"}))
		require.NoError(t, err)
		require.Equal(t, "other", item.Task.ID)
	}
	var none *enqueue.Item
	_, err := enqueue.Encode(t.Context(), nil, "ingest", enqueue.Task(none, nil))
	require.ErrorIs(t, err, store.ErrInvalid)
}

func TestThePayloadLimitIsExact(t *testing.T) {
	e := &enqueue.Config{MaxPayload: 20}
	payload := func(n int) json.RawMessage { return json.RawMessage(`"` + strings.Repeat("x", n-2) + `"`) }
	_, err := enqueue.Encode(t.Context(), e, "ingest", enqueue.Raw("file", payload(20), nil))
	require.NoError(t, err)
	_, err = enqueue.Encode(t.Context(), e, "ingest", enqueue.Raw("file", payload(21), nil))
	require.ErrorIs(t, err, store.ErrPayloadTooLarge)
	var field *store.FieldError
	require.ErrorAs(t, err, &field)
	require.Equal(t, "Payload", field.Field)

	_, err = enqueue.Encode(t.Context(), nil, "ingest", enqueue.Raw("file", payload(bounds.DefaultMaxPayload+1), nil))
	require.ErrorIs(t, err, store.ErrPayloadTooLarge)
}

func TestEncodeNamesTheFieldOfEveryProblem(t *testing.T) {
	var nilArgs *fileArgs
	for field, it := range map[string]enqueue.Item{
		"Args":       enqueue.Task(nil, nil),
		"Args ":      enqueue.Task(nilArgs, nil),
		"Args  ":     enqueue.Task(brokenArgs{}, nil),
		"Payload":    enqueue.Raw("file", json.RawMessage(`{`), nil),
		"Kind":       enqueue.Raw("", nil, nil),
		"Kind ":      enqueue.Raw(store.KindPostJob, nil, nil),
		"Kind  ":     enqueue.Raw("a{b}:c", nil, nil),
		"Queue":      enqueue.Task(fileArgs{}, &enqueue.Options{Queue: "a\x00b"}),
		"Delay":      enqueue.Task(fileArgs{}, &enqueue.Options{Delay: -1}),
		"At":         enqueue.Task(fileArgs{}, &enqueue.Options{Delay: 1, At: time.Now()}),
		"At ":        enqueue.Task(fileArgs{}, &enqueue.Options{At: time.Date(10_000, 1, 1, 0, 0, 0, 0, time.UTC)}),
		"ID":         enqueue.Task(fileArgs{}, &enqueue.Options{ID: " a"}),
		"ID ":        enqueue.Task(fileArgs{}, &enqueue.Options{ID: "\xff"}),
		"ID  ":       enqueue.Task(fileArgs{}, &enqueue.Options{ID: strings.Repeat("i", 10_000)}),
		"IDFor":      enqueue.Task(fileArgs{}, &enqueue.Options{ID: "a", IDFor: -1}),
		"IDFor ":     enqueue.Task(fileArgs{}, &enqueue.Options{IDFor: time.Hour}),
		"Headers":    enqueue.Task(fileArgs{}, &enqueue.Options{Headers: map[string]string{"": "a"}}),
		"Headers ":   enqueue.Task(fileArgs{}, &enqueue.Options{Headers: map[string]string{"a": "\xff"}}),
		"Headers   ": enqueue.Task(fileArgs{}, &enqueue.Options{Headers: map[string]string{"\xff": "a"}}),
		"Headers  ":  enqueue.Task(fileArgs{}, &enqueue.Options{Headers: map[string]string{"a": strings.Repeat("x", encode.MaxHeaderBytes)}}),
		"Expires":    enqueue.Task(fileArgs{}, &enqueue.Options{Expires: time.Date(10_000, 1, 1, 0, 0, 0, 0, time.UTC)}),
		"Expires ":   enqueue.Task(fileArgs{}, &enqueue.Options{At: time.UnixMilli(5), Expires: time.UnixMilli(5)}),
		"Expires  ":  enqueue.Task(fileArgs{}, &enqueue.Options{Delay: time.Hour, Expires: time.Now().Add(time.Minute)}),
		"MaxRetries": enqueue.Task(fileArgs{}, &enqueue.Options{MaxRetries: -2}),
		"Timeout":    enqueue.Task(fileArgs{}, &enqueue.Options{Timeout: -time.Second}),
	} {
		_, err := enqueue.Encode(t.Context(), nil, "ingest", it)
		var problem *store.FieldError
		require.ErrorAs(t, err, &problem, field)
		require.Equal(t, strings.TrimSpace(field), problem.Field)
		require.ErrorIs(t, err, store.ErrInvalid)
	}
	for _, it := range []enqueue.Item{enqueue.Task(fileArgs{}, nil), enqueue.Task(nil, nil)} {
		_, err := enqueue.Encode(t.Context(), nil, "a set", it)
		require.ErrorContains(t, err, "Set may hold only")
	}
}

func TestOverridesFromANewerVersionAreReadAndBrokenOnesRefused(t *testing.T) {
	o, err := encode.DecodeOverrides([]byte(`{"max_retries":2,"added_later":true}`))
	require.NoError(t, err)
	require.Equal(t, encode.Overrides{MaxRetries: 2}, o)
	for _, b := range []string{`{`, `[]`, `{"max_retries":-2}`, `{"timeout":-5}`, `{"timeout":"1s"}`} {
		_, err := encode.DecodeOverrides([]byte(b))
		require.ErrorIs(t, err, store.ErrCorrupt, b)
	}
}

func FuzzDecodeOverrides(f *testing.F) {
	f.Add([]byte(nil))
	f.Add([]byte(`{"max_retries":-1,"timeout":60000000000}`))
	f.Add([]byte(`{"max_retries":1e99}`))
	f.Fuzz(func(t *testing.T, b []byte) {
		o, err := encode.DecodeOverrides(b)
		if err != nil {
			require.ErrorIs(t, err, store.ErrCorrupt)
			require.Zero(t, o)
			return
		}
		again, err := encode.DecodeOverrides(o.Encode())
		require.NoError(t, err)
		require.Equal(t, o, again)
	})
}

func FuzzEncode(f *testing.F) {
	f.Add("ingest", "file", "q", "id", []byte(`{}`))
	f.Add("", "@pre", "{}", "\n", []byte(`{`))
	f.Fuzz(func(t *testing.T, set, kind, queue, id string, payload []byte) {
		item, err := enqueue.Encode(t.Context(), nil, set, enqueue.Raw(kind, payload, &enqueue.Options{Queue: queue, ID: id}))
		if err != nil {
			require.ErrorIs(t, err, store.ErrInvalid)
			return
		}
		require.NoError(t, store.ValidateName("Queue", item.Route.Queue))
		require.NoError(t, store.ValidateName("Set", item.Route.Set))
		require.NoError(t, store.ValidateName("Kind", item.Route.Kind))
		require.NoError(t, store.ValidateTaskID(item.Task.ID))
		require.True(t, json.Valid(item.Task.Payload))
	})
}

func TestExpiryIsStoredInWholeMilliseconds(t *testing.T) {
	at := time.Date(2030, 1, 2, 3, 4, 5, 678_900_000, time.FixedZone("east", 3600))
	for given, want := range map[time.Time]time.Time{
		{}: {}, at: time.UnixMilli(at.UnixMilli()), time.Unix(-5, 0): time.UnixMilli(1), time.UnixMilli(7): time.UnixMilli(7),
	} {
		item, err := enqueue.Encode(t.Context(), nil, "ingest", enqueue.Task(fileArgs{"a"}, &enqueue.Options{Expires: given}))
		require.NoError(t, err)
		require.True(t, want.Equal(item.Task.Expires), "%v: %v", given, item.Task.Expires)
	}
}
