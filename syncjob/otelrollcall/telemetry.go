package otelrollcall

import (
	"errors"
	"sync"
	"sync/atomic"

	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"
	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/trace"
)

// Options configure [Telemetry]. The zero value of each field is its default.
type Options struct {
	// MeterProvider makes the instruments. Defaults to the global one.
	MeterProvider metric.MeterProvider
	// TracerProvider makes the spans. Defaults to the global one.
	TracerProvider trace.TracerProvider
	// TextMap writes contexts into the headers of tasks, and reads them. Defaults to the global one,
	// which does nothing until a program sets another.
	TextMap propagation.TextMapPropagator
	// Parent makes an attempt a child of the span in which its task was enqueued. Defaults to false:
	// it begins a trace that is linked to that span.
	Parent bool
	// Slots is how many handlers the workers of this process run at once: the sum of their
	// Concurrency. Defaults to 0: idle slots are not counted.
	Slots int
	// Buckets of the histograms, in seconds, ascending. Defaults to [Buckets].
	Buckets []float64
}

// Buckets returns the default buckets, from 5 ms to 1 h.
func Buckets() []float64 {
	return []float64{
		0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120, 300, 600, 1200, 3600,
	}
}

const (
	scope  = "github.com/rollcall-go/rollcall/syncjob/otelrollcall"
	schema = "https://opentelemetry.io/schemas/1.40.0"
)

// Telemetry is that of a process. Its methods may be called concurrently.
type Telemetry struct {
	tracer  trace.Tracer
	meter   metric.Meter
	textMap propagation.TextMapPropagator
	parent  bool
	slots   int64

	sent, consumed, attempts, started, finished, reclaimed, lost, retries metric.Int64Counter
	operations, process, wait, duration                                   metric.Float64Histogram

	busy   atomic.Int64
	routes sync.Map // of *routeOptions, by route
}

// system is an attribute of all that the conventions name.
var system = attribute.String("messaging.system", "rollcall")

// New makes the instruments of a process. Nil options mean all defaults. Its errors are those of
// the provider.
func New(opts *Options) (*Telemetry, error) {
	var o Options
	if opts != nil {
		o = *opts
	}
	if o.MeterProvider == nil {
		o.MeterProvider = otel.GetMeterProvider()
	}
	if o.TracerProvider == nil {
		o.TracerProvider = otel.GetTracerProvider()
	}
	if o.TextMap == nil {
		o.TextMap = otel.GetTextMapPropagator()
	}
	if o.Buckets == nil {
		o.Buckets = Buckets()
	}
	t := &Telemetry{
		tracer:  o.TracerProvider.Tracer(scope, trace.WithSchemaURL(schema)),
		meter:   o.MeterProvider.Meter(scope, metric.WithSchemaURL(schema)),
		textMap: o.TextMap,
		parent:  o.Parent,
		slots:   int64(o.Slots),
	}
	return t, errors.Join(t.counters(), t.histograms(o.Buckets), t.watchSlots())
}

func (t *Telemetry) counters() error {
	var problems []error
	for _, c := range []struct {
		to                 *metric.Int64Counter
		name, unit, detail string
	}{
		{&t.sent, "messaging.client.sent.messages", "{message}", "Tasks that this process added."},
		{&t.consumed, "messaging.client.consumed.messages", "{message}", "Tasks that this process fetched."},
		{&t.attempts, "rollcall.task.attempts", "{attempt}", "Attempts of tasks and hooks that ended."},
		{&t.started, "rollcall.run.started", "{run}", "Runs that this process started."},
		{&t.finished, "rollcall.run.finished", "{run}", "Runs that ended through this process."},
		{&t.reclaimed, "rollcall.task.reclaimed", "{task}", "Tasks recovered from dead workers."},
		{&t.lost, "rollcall.session.lost", "{session}", "Sessions of dead workers, one in each partition."},
		{&t.retries, "rollcall.store.retries", "{call}", "Calls of the store that failed and were repeated."},
	} {
		var err error
		*c.to, err = t.meter.Int64Counter(c.name, metric.WithUnit(c.unit), metric.WithDescription(c.detail))
		problems = append(problems, err)
	}
	return errors.Join(problems...)
}

func (t *Telemetry) histograms(buckets []float64) error {
	var problems []error
	for _, h := range []struct {
		to           *metric.Float64Histogram
		name, detail string
	}{
		{&t.operations, "messaging.client.operation.duration", "Calls of the store by workers."},
		{&t.process, "messaging.process.duration", "Attempts of tasks and hooks."},
		{&t.wait, "rollcall.task.wait", "From the enqueue of a task to an attempt."},
		{&t.duration, "rollcall.run.duration", "From the first fetch to the end of a run."},
	} {
		var err error
		*h.to, err = t.meter.Float64Histogram(h.name, metric.WithUnit("s"), metric.WithDescription(h.detail),
			metric.WithExplicitBucketBoundaries(buckets...))
		problems = append(problems, err)
	}
	return errors.Join(problems...)
}
