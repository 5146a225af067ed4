package enqueue

import (
	"context"
	"maps"

	"github.com/rollcall-go/rollcall/store"
)

// Propagator carries what belongs to a context, such as a trace, in the headers of tasks and runs from where they are made to
// where they run. It has the methods that OpenTelemetry's TextMapPropagator has over a carrier of map[string]string. Its
// methods are called concurrently and must not block.
type Propagator interface {
	// Inject adds headers that say what ctx carries. It may add none.
	Inject(ctx context.Context, headers map[string]string)
	// Extract returns a context derived from ctx that carries what the headers say. They may be nil, and must not be
	// changed.
	Extract(ctx context.Context, headers map[string]string) context.Context
}

// Inject returns headers with those that the propagator, which may be nil, adds for ctx. Headers that are there already
// stay as they are. What would make them exceed [MaxHeaderBytes] is left out: a task goes ahead of its trace. The given map is not changed.
func Inject(ctx context.Context, p Propagator, headers map[string]string) map[string]string {
	if p == nil {
		return headers
	}
	all := make(map[string]string, len(headers)+2)
	p.Inject(ctx, all)
	if len(all) == 0 {
		return headers
	}
	maps.Copy(all, headers)
	if validateHeaders(all) != nil {
		return headers
	}
	return all
}

// Extract returns what the propagator, which may be nil, makes of ctx by the headers; ctx itself if it returns none.
func Extract(ctx context.Context, p Propagator, headers map[string]string) context.Context {
	if p == nil {
		return ctx
	}
	if extracted := p.Extract(ctx, headers); extracted != nil {
		return extracted
	}
	return ctx
}

// EncodeFrom is Encode for an item that is enqueued under ctx: with what Propagator says of that in its headers.
func (e *Encoder) EncodeFrom(ctx context.Context, set string, it Item) (store.Item, error) {
	item, err := e.Encode(set, it)
	if err == nil {
		item.Task.Headers = Inject(ctx, e.Propagator, item.Task.Headers)
	}
	return item, err
}
