package enqueue_test

import (
	"context"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/rollcall-go/rollcall/enqueue"
)

type traceKey struct{}

// tracer carries the value of traceKey.
type tracer struct{}

func (tracer) Inject(ctx context.Context, headers map[string]string) {
	if v, ok := ctx.Value(traceKey{}).(string); ok {
		headers["trace"] = v
	}
}

func (tracer) Extract(ctx context.Context, headers map[string]string) context.Context {
	return context.WithValue(ctx, traceKey{}, headers["trace"])
}

func TestInjectedHeadersComeBesideTheCallers(t *testing.T) {
	e := &enqueue.Encoder{Propagator: tracer{}}
	traced := context.WithValue(t.Context(), traceKey{}, "t1")
	encode := func(ctx context.Context, headers map[string]string) map[string]string {
		item, err := e.EncodeFrom(ctx, "set", enqueue.Raw("kind", nil, &enqueue.Options{Headers: headers}))
		require.NoError(t, err)
		return item.Task.Headers
	}
	own := map[string]string{"k": "v"}
	require.Equal(t, map[string]string{"k": "v", "trace": "t1"}, encode(traced, own))
	require.Equal(t, map[string]string{"k": "v"}, own, "the caller's map is the caller's")
	require.Equal(t, map[string]string{"trace": "t1"}, encode(traced, nil))
	require.Equal(t, map[string]string{"trace": "mine"}, encode(traced, map[string]string{"trace": "mine"}))
	require.Equal(t, own, encode(t.Context(), own))
	require.Nil(t, encode(t.Context(), nil))

	full := map[string]string{"k": strings.Repeat("x", enqueue.MaxHeaderBytes-5)}
	require.Equal(t, full, encode(traced, full), "a task goes ahead of its trace")
	require.Equal(t, own, enqueue.Inject(traced, nil, own))
}
