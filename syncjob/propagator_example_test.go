package syncjob_test

import (
	"context"
	"fmt"
	"log"

	"github.com/rollcall-go/rollcall/handlers"
	"github.com/rollcall-go/rollcall/syncjob"
)

// MapCarrier, Propagation, Tracer and Span stand for what OpenTelemetry has under these names, so
// that the example needs no dependency: propagation.MapCarrier, otel.GetTextMapPropagator(),
// otel.Tracer("rollcall") and trace.Span.
type MapCarrier map[string]string

type spanKey struct{}

type Propagation struct{}

func (Propagation) Inject(ctx context.Context, carrier MapCarrier) {
	if id, ok := ctx.Value(spanKey{}).(string); ok {
		carrier["traceparent"] = id
	}
}

func (Propagation) Extract(ctx context.Context, carrier MapCarrier) context.Context {
	return context.WithValue(ctx, spanKey{}, carrier["traceparent"])
}

type Tracer struct{}

func (Tracer) Start(ctx context.Context, name string) (context.Context, Span) {
	parent, _ := ctx.Value(spanKey{}).(string)
	return context.WithValue(ctx, spanKey{}, parent+"/"+name), Span{parent + "/" + name}
}

type Span struct{ id string }

func (Span) RecordError(error) {}
func (s Span) End()            { fmt.Println("span", s.id) }

// traces makes a Propagator of OpenTelemetry's: a carrier is what headers are already.
type traces struct{ p Propagation }

func (t traces) Inject(ctx context.Context, headers map[string]string) {
	t.p.Inject(ctx, MapCarrier(headers))
}

func (t traces) Extract(ctx context.Context, headers map[string]string) context.Context {
	return t.p.Extract(ctx, MapCarrier(headers))
}

// spans is middleware that makes a span of each attempt, in the trace of whoever enqueued the task.
func spans(tracer Tracer) handlers.Middleware {
	return func(next handlers.Handler) handlers.Handler {
		return func(ctx context.Context, a *handlers.Attempt) error {
			ctx, span := tracer.Start(ctx, a.Kind)
			defer span.End()
			err := next(ctx, a)
			if err != nil {
				span.RecordError(err)
			}
			return err
		}
	}
}

// One trace from a request to the last of the tasks that it led to: OpenTelemetry, of which
// Rollcall knows nothing.
func ExamplePropagator() {
	ctx := context.Background()
	tracer := Tracer{}
	reg := ingest().With(spans(tracer))
	m, err := syncjob.Open(ctx, "memory://", syncjob.Config{Registry: reg, Propagator: traces{}})
	if err != nil {
		log.Fatal(err)
	}
	defer func() { _ = m.Close() }()

	request, span := tracer.Start(ctx, "request")
	if _, err := m.Start(request, syncjob.Job{Name: "import/42", Set: "ingest", Root: scanArgs{Dirs: 1}}, nil); err != nil {
		log.Fatal(err)
	}
	span.End()
	w, err := m.NewWorker(syncjob.WorkerConfig{Concurrency: 1})
	if err != nil {
		log.Fatal(err)
	}
	if _, err := w.RunOnce(ctx); err != nil {
		log.Fatal(err)
	}
	// Output:
	// span /request
	// span /request/scan
	// span /request/scan/file
}
