package enqueue

import "context"

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
