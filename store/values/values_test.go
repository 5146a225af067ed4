package values_test

import (
	"context"
	"math"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/rollcall-go/rollcall/store"
	"github.com/rollcall-go/rollcall/store/bounds"
	"github.com/rollcall-go/rollcall/store/memstore"
	"github.com/rollcall-go/rollcall/store/values"
)

func TestErrorsOfReferencesNameWhatTheCallerPassed(t *testing.T) {
	h := values.NewClient(memstore.New(nil))
	defer h.Close()
	scope := store.NamespaceScope(0)
	number := values.NewFloat(h, scope, "float")
	at := values.NewTime(h, scope, "time")
	value := values.NewValue[any](h, scope, "value")
	list := values.NewList[any](h, scope, "list")
	fields := values.NewMap[any](h, scope, "map")
	large := strings.Repeat("x", bounds.MaxValueLen)
	long := strings.Repeat("n", bounds.MaxFieldLen+1)
	many := make([]string, bounds.MaxData+1)
	for _, c := range []struct {
		call  string
		do    func(ctx context.Context) error
		field string
	}{
		{"Float.Set", func(ctx context.Context) error { return number.Set(ctx, math.NaN()) }, "Value"},
		{"Float.Add", func(ctx context.Context) error { _, err := number.Add(ctx, math.Inf(1)); return err }, "Value"},
		{"Time.Set", func(ctx context.Context) error { return at.Set(ctx, time.Date(10_000, 1, 1, 0, 0, 0, 0, time.UTC)) }, "Value"},
		{"Value.Set", func(ctx context.Context) error { return value.Set(ctx, large) }, "Value"},
		{"Value.Set of no JSON", func(ctx context.Context) error { return value.Set(ctx, make(chan int)) }, "Value"},
		{"Value.CompareAndSet", func(ctx context.Context) error { _, err := value.CompareAndSet(ctx, nil, large); return err }, "Value"},
		{"List.Append", func(ctx context.Context) error { return list.Append(ctx, 0, large) }, "Items[1]"},
		{"List.Append of no JSON", func(ctx context.Context) error { return list.Append(ctx, 0, make(chan int)) }, "Items[1]"},
		{"List.Append of many", func(ctx context.Context) error { return list.Append(ctx, make([]any, bounds.MaxData+1)...) }, "Items"},
		{"List.Range", func(ctx context.Context) error {
			for _, err := range list.Range(ctx, -1) {
				return err
			}
			return nil
		}, "From"},
		{"Map.Set", func(ctx context.Context) error { return fields.Set(ctx, "f", large) }, `Fields["f"]`},
		{"Map.Set of no JSON", func(ctx context.Context) error { return fields.Set(ctx, "f", make(chan int)) }, `Fields["f"]`},
		{"Map.CompareAndSet", func(ctx context.Context) error { _, err := fields.CompareAndSet(ctx, "f", nil, large); return err }, `Fields["f"]`},
		{"Map.Remove", func(ctx context.Context) error { return fields.Remove(ctx, "f", long) }, `Fields["` + long[:64] + `"...]`},
		{"Map.Remove of many", func(ctx context.Context) error { return fields.Remove(ctx, many...) }, "Fields"},
		{"Map.GetAll of many", func(ctx context.Context) error { _, err := fields.GetAll(ctx, many...); return err }, "Fields"},
		{"no client", func(ctx context.Context) error { return values.NewCounter(nil, scope, "c").Set(ctx, 1) }, "Client"},
		{"no client", func(ctx context.Context) error { _, err := values.NewFloat(nil, scope, "f").Get(ctx); return err }, "Client"},
		{"an unusable name", func(ctx context.Context) error { return values.NewCounter(h, scope, "a b").Set(ctx, 1) }, "Name"},
	} {
		err := c.do(t.Context())
		bad := (*store.FieldError)(nil)
		require.ErrorAs(t, err, &bad, c.call)
		require.Equal(t, c.field, bad.Field, c.call)
	}
}
