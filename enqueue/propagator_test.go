package enqueue_test

import (
	"context"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/rollcall-go/rollcall/enqueue"
	"github.com/rollcall-go/rollcall/internal/encode"
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
	e := &enqueue.Config{Propagator: tracer{}}
	traced := context.WithValue(t.Context(), traceKey{}, "t1")
	encoded := func(ctx context.Context, headers map[string]string) map[string]string {
		item, err := enqueue.Encode(ctx, e, "set", enqueue.Raw("kind", nil, &enqueue.Options{Headers: headers}))
		require.NoError(t, err)
		return item.Task.Headers
	}
	own := map[string]string{"k": "v"}
	require.Equal(t, map[string]string{"k": "v", "trace": "t1"}, encoded(traced, own))
	require.Equal(t, map[string]string{"k": "v"}, own, "the caller's map is the caller's")
	require.Equal(t, map[string]string{"trace": "t1"}, encoded(traced, nil))
	require.Equal(t, map[string]string{"trace": "mine"}, encoded(traced, map[string]string{"trace": "mine"}))
	require.Equal(t, own, encoded(t.Context(), own))
	require.Nil(t, encoded(t.Context(), nil))

	full := map[string]string{"k": strings.Repeat("x", encode.MaxHeaderBytes-5)}
	require.Equal(t, full, encoded(traced, full), "a task goes ahead of its trace")
	require.Equal(t, own, encode.Inject(traced, nil, own))
}
