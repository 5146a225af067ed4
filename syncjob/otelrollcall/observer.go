package otelrollcall

import (
	"context"
	"sync"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"

	"github.com/rollcall-go/rollcall/store"
	"github.com/rollcall-go/rollcall/store/verdicts"
	"github.com/rollcall-go/rollcall/syncjob/observe"
	"github.com/rollcall-go/rollcall/syncjob/states"
)

// route is whose attempts are counted together.
type route struct{ queue, set, kind string }

// routeOptions are the attributes of a route, made once.
type routeOptions struct {
	route

	process, wait metric.MeasurementOption
	verdicts      sync.Map // of metric.MeasurementOption, by verdict
}

// Observer returns the callbacks that feed the metrics, for [syncjob.Config]. To observe more, put
// functions of your own around them.
func (t *Telemetry) Observer() observe.Observer {
	receive, settle := operation("receive"), operation("settle")
	return observe.Observer{
		Enqueued: func(ctx context.Context, e observe.Enqueue) {
			t.sent.Add(ctx, int64(e.Tasks), destination(e.Queue))
		},
		AttemptStarted: func(ctx context.Context, e observe.Attempt) {
			t.busy.Add(1)
			t.wait.Record(ctx, max(0, e.Wait).Seconds(), t.of(e).wait)
		},
		AttemptDone: func(ctx context.Context, e observe.Attempt) {
			t.busy.Add(-1)
			r := t.of(e)
			t.process.Record(ctx, e.Took.Seconds(), r.process)
			t.attempts.Add(ctx, 1, r.verdict(e.Verdict))
		},
		RunStarted: func(ctx context.Context, e observe.Run) {
			t.started.Add(ctx, 1, with(attribute.String("set", e.Set)))
		},
		RunDone: func(ctx context.Context, s states.Run) {
			of := with(attribute.String("set", s.Set), attribute.String("status", string(s.Status)))
			t.finished.Add(ctx, 1, of)
			t.duration.Record(ctx, s.Elapsed.Seconds(), of)
		},
		Fetched: func(ctx context.Context, e observe.Fetch) {
			for queue, n := range e.Queues {
				t.consumed.Add(ctx, int64(n), destination(queue))
			}
			t.operations.Record(ctx, e.Took.Seconds(), receive)
		},
		Settled: func(ctx context.Context, e observe.Settle) {
			t.operations.Record(ctx, e.Took.Seconds(), settle)
		},
		Reclaimed: func(ctx context.Context, e observe.Reclaim) {
			t.lost.Add(ctx, int64(e.Sessions))
			t.reclaimed.Add(ctx, int64(e.Tasks))
		},
		StoreRetry: func(e store.RetryEvent) {
			t.retries.Add(context.Background(), 1, with(attribute.String("method", e.Method)))
		},
	}
}

// of returns the attributes of the route of an attempt.
func (t *Telemetry) of(e observe.Attempt) *routeOptions {
	r := route{e.Queue, e.Set, e.Kind}
	if o, ok := t.routes.Load(r); ok {
		return o.(*routeOptions)
	}
	set, kind := attribute.String("set", r.set), attribute.String("kind", r.kind)
	known, _ := t.routes.LoadOrStore(r, &routeOptions{
		route:   r,
		process: with(system, attribute.String("messaging.destination.name", r.queue), set, kind),
		wait:    with(attribute.String("queue", r.queue), set, kind),
	})
	return known.(*routeOptions)
}

func (r *routeOptions) verdict(v verdicts.Verdict) metric.MeasurementOption {
	if o, ok := r.verdicts.Load(v); ok {
		return o.(metric.MeasurementOption)
	}
	o := with(attribute.String("queue", r.queue), attribute.String("set", r.set), attribute.String("kind", r.kind),
		attribute.String("verdict", v.String()))
	r.verdicts.Store(v, o)
	return o
}

func with(attrs ...attribute.KeyValue) metric.MeasurementOption {
	return metric.WithAttributeSet(attribute.NewSet(attrs...))
}

func destination(queue string) metric.MeasurementOption {
	return with(system, attribute.String("messaging.destination.name", queue))
}

func operation(name string) metric.MeasurementOption {
	return with(system, attribute.String("messaging.operation.name", name))
}
