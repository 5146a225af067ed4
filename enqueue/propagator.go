package enqueue

import "context"

// Propagator carries values of a context, such as a trace, from the code that makes a task or run
// to the code that runs it. They travel in the headers. The methods are those of OpenTelemetry's
// TextMapPropagator, with map[string]string as the carrier. They are called concurrently and must
// not block.
type Propagator interface {
	// Inject adds headers for the values in ctx. It may add none.
	Inject(ctx context.Context, headers map[string]string)
	// Extract returns a context derived from ctx, with the values from the headers. The headers may
	// be nil; do not change them.
	Extract(ctx context.Context, headers map[string]string) context.Context
}
