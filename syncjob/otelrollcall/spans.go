package otelrollcall

import (
	"context"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/trace"

	"github.com/rollcall-go/rollcall/enqueue"
	"github.com/rollcall-go/rollcall/handlers"
)

// Propagator returns what carries contexts from enqueues to attempts, for [syncjob.Config].
func (t *Telemetry) Propagator() enqueue.Propagator { return propagator{t.textMap} }

// propagator uses the headers of a task as a carrier.
type propagator struct{ textMap propagation.TextMapPropagator }

// Inject implements [enqueue.Propagator].
func (p propagator) Inject(ctx context.Context, headers map[string]string) {
	p.textMap.Inject(ctx, propagation.MapCarrier(headers))
}

// Extract implements [enqueue.Propagator].
func (p propagator) Extract(ctx context.Context, headers map[string]string) context.Context {
	return p.textMap.Extract(ctx, propagation.MapCarrier(headers))
}

// Send calls fn inside of a span "send QUEUE". The tasks that fn enqueues with its context carry
// that span. It returns the error of fn, which the span records.
func (t *Telemetry) Send(ctx context.Context, queue string, fn func(ctx context.Context) error) error {
	ctx, span := t.tracer.Start(ctx, "send "+queue, trace.WithSpanKind(trace.SpanKindProducer), trace.WithAttributes(
		system,
		attribute.String("messaging.destination.name", queue),
		attribute.String("messaging.operation.name", "send"),
		attribute.String("messaging.operation.type", "send"),
	))
	return spanned(ctx, span, fn)
}

// Middleware returns middleware that makes a span "process QUEUE" of each attempt, for
// [handlers.Registry.With] or a set.
func (t *Telemetry) Middleware() handlers.Middleware {
	return func(next handlers.Handler) handlers.Handler {
		return func(ctx context.Context, a *handlers.Attempt) error {
			opts := []trace.SpanStartOption{trace.WithSpanKind(trace.SpanKindConsumer), trace.WithAttributes(
				system,
				attribute.String("messaging.destination.name", a.Queue),
				attribute.String("messaging.operation.name", "process"),
				attribute.String("messaging.operation.type", "process"),
				attribute.String("messaging.message.id", a.ID),
				attribute.String("rollcall.job", a.Run.Job),
				attribute.Int64("rollcall.run", a.Run.Number),
				attribute.String("rollcall.set", a.Run.Set),
				attribute.String("rollcall.kind", a.Kind),
				attribute.Int("rollcall.retry", a.Retry),
			)}
			if creation := trace.SpanContextFromContext(ctx); !t.parent {
				opts = append(opts, trace.WithNewRoot())
				if creation.IsValid() {
					opts = append(opts, trace.WithLinks(trace.Link{SpanContext: creation}))
				}
			}
			ctx, span := t.tracer.Start(ctx, "process "+a.Queue, opts...)
			return spanned(ctx, span, func(ctx context.Context) error { return next(ctx, a) })
		}
	}
}

// spanned calls fn, and ends the span with what happened. It also ends it if fn panics or ends the
// goroutine, and lets that pass.
func spanned(ctx context.Context, span trace.Span, fn func(context.Context) error) error {
	returned := false
	defer func() {
		if !returned {
			span.SetStatus(codes.Error, "panicked, or ended its goroutine")
		}
		span.End()
	}()
	err := fn(ctx)
	returned = true
	if err != nil {
		span.RecordError(err)
		span.SetStatus(codes.Error, err.Error())
	}
	return err
}
