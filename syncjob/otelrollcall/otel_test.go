package otelrollcall_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/propagation"
	sdkmetric "go.opentelemetry.io/otel/sdk/metric"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"
	"go.opentelemetry.io/otel/trace"

	"github.com/rollcall-go/rollcall/enqueue"
	"github.com/rollcall-go/rollcall/handlers"
	"github.com/rollcall-go/rollcall/store"
	"github.com/rollcall-go/rollcall/store/memstore"
	"github.com/rollcall-go/rollcall/store/verdicts"
	"github.com/rollcall-go/rollcall/syncjob"
	"github.com/rollcall-go/rollcall/syncjob/observe"
	"github.com/rollcall-go/rollcall/syncjob/otelrollcall"
)

type page struct {
	Fail, Panic bool
}

func (page) Kind() string { return "page" }

func library(t testing.TB) *handlers.Registry {
	t.Helper()
	set := handlers.NewSet("library", handlers.SetConfig{
		Hooks: handlers.Hooks{PostJob: func(context.Context, *handlers.Run) error { return nil }},
	})
	handlers.Handle(set, func(_ context.Context, t *handlers.Task[page]) error {
		if t.Args.Panic {
			panic("torn")
		}
		if t.Args.Fail {
			return handlers.Permanent(errors.New("torn"))
		}
		return nil
	}, &handlers.KindOptions{Attributes: handlers.Attributes{MaxRetries: handlers.NoRetries}})
	reg, err := handlers.NewRegistry(set)
	require.NoError(t, err)
	return reg
}

// kit is the real SDK, and a manager that it watches.
type kit struct {
	telemetry *otelrollcall.Telemetry
	reader    *sdkmetric.ManualReader
	spans     *tracetest.SpanRecorder
	m         *syncjob.Manager
}

func newKit(t testing.TB, s store.Store, opts otelrollcall.Options) *kit {
	t.Helper()
	k := &kit{reader: sdkmetric.NewManualReader(), spans: tracetest.NewSpanRecorder()}
	opts.MeterProvider = sdkmetric.NewMeterProvider(sdkmetric.WithReader(k.reader))
	opts.TracerProvider = sdktrace.NewTracerProvider(sdktrace.WithSpanProcessor(k.spans))
	opts.TextMap = propagation.TraceContext{}
	var err error
	k.telemetry, err = otelrollcall.New(&opts)
	require.NoError(t, err)
	k.m, err = syncjob.New(s, syncjob.Config{
		Registry:   library(t).With(k.telemetry.Middleware()),
		Propagator: k.telemetry.Propagator(),
		Observer:   k.telemetry.Observer(),
	})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, k.m.Close()) })
	return k
}

// run enqueues pages in a span and runs them.
func (k *kit) run(t testing.TB, pages ...page) {
	t.Helper()
	ctx := t.Context()
	_, err := k.m.Ensure(ctx, syncjob.Job{Name: "books", Set: "library", Open: true})
	require.NoError(t, err)
	require.NoError(t, k.telemetry.Send(ctx, "default", func(ctx context.Context) error {
		for _, p := range pages {
			if _, err := k.m.Enqueue(ctx, "books", p, nil); err != nil {
				return err
			}
		}
		return nil
	}))
	w, err := k.m.NewWorker(syncjob.WorkerConfig{})
	require.NoError(t, err)
	_, err = w.RunOnce(ctx)
	require.NoError(t, err)
}

// collect reads all metrics, by name.
func (k *kit) collect(t testing.TB) map[string]metricdata.Metrics {
	t.Helper()
	var got metricdata.ResourceMetrics
	require.NoError(t, k.reader.Collect(t.Context(), &got))
	all := make(map[string]metricdata.Metrics)
	for _, scope := range got.ScopeMetrics {
		for _, m := range scope.Metrics {
			all[m.Name] = m
		}
	}
	return all
}

// points are the values of a metric by its attributes: the count of a histogram.
func points(t testing.TB, m metricdata.Metrics) (values map[string]float64, keys []string) {
	t.Helper()
	values = make(map[string]float64)
	put := func(set attribute.Set, v float64) {
		var parts []string
		keys = nil
		for _, kv := range set.ToSlice() {
			if kv.Key == "messaging.system" {
				require.Equal(t, "rollcall", kv.Value.AsString())
				continue
			}
			keys = append(keys, string(kv.Key))
			parts = append(parts, kv.Value.Emit())
		}
		values[strings.Join(parts, " ")] = v
	}
	switch data := m.Data.(type) {
	case metricdata.Sum[int64]:
		for _, p := range data.DataPoints {
			put(p.Attributes, float64(p.Value))
		}
	case metricdata.Gauge[int64]:
		for _, p := range data.DataPoints {
			put(p.Attributes, float64(p.Value))
		}
	case metricdata.Gauge[float64]:
		for _, p := range data.DataPoints {
			put(p.Attributes, p.Value)
		}
	case metricdata.Histogram[float64]:
		for _, p := range data.DataPoints {
			require.Equal(t, otelrollcall.Buckets(), p.Bounds)
			put(p.Attributes, float64(p.Count))
		}
	default:
		t.Fatalf("%s is %T", m.Name, data)
	}
	return values, keys
}

// full makes every metric have a value.
func full(t *testing.T) map[string]metricdata.Metrics {
	k := newKit(t, memstore.New(nil), otelrollcall.Options{Slots: 4})
	ctx := t.Context()
	k.run(t, page{}, page{}, page{Fail: true})
	_, err := k.m.Start(ctx, syncjob.Job{Name: "one", Set: "library", Root: page{}}, nil)
	require.NoError(t, err)
	k.run(t)
	_, err = k.m.Enqueue(ctx, "books", page{}, &enqueue.Options{Queue: "far"})
	require.NoError(t, err)
	o := k.telemetry.Observer() // what no healthy store does
	o.Reclaimed(ctx, observe.Reclaim{Sessions: 2, Tasks: 7})
	o.StoreRetry(store.RetryEvent{Method: "Fetch"})
	registration, err := k.telemetry.WatchStore(k.m, &otelrollcall.StoreOptions{Jobs: true})
	require.NoError(t, err)
	all := k.collect(t)
	require.NoError(t, registration.Unregister())
	require.NotContains(t, k.collect(t), "rollcall.workers")
	return all
}

func TestACollectionHasWhatHappened(t *testing.T) {
	all := full(t)
	for name, want := range map[string]map[string]float64{
		"messaging.client.sent.messages":     {"default": 4, "far": 1},
		"messaging.client.consumed.messages": {"default": 5},
		"messaging.process.duration":         {"default page library": 4, "default @post library": 1},
		"rollcall.task.attempts":             {"page default library success": 3, "page default library fail": 1, "@post default library hook done": 1},
		"rollcall.task.wait":                 {"page default library": 4, "@post default library": 1},
		"rollcall.run.started":               {"library": 2},
		"rollcall.run.finished":              {"library succeeded": 1},
		"rollcall.run.duration":              {"library succeeded": 1},
		"rollcall.task.reclaimed":            {"": 7},
		"rollcall.session.lost":              {"": 2},
		"rollcall.store.retries":             {"Fetch": 1},
		"rollcall.worker.slots":              {"busy": 0, "idle": 4},
		"rollcall.queue.tasks":               {"far waiting": 1, "far held": 0, "far delayed": 0, "far retrying": 0, "far running": 0},
		"rollcall.queue.unserved":            {"far": 1},
		"rollcall.workers":                   {"": 0},
		"rollcall.runs.active":               {"": 1},
		"rollcall.schedule.lateness":         {"": 0},
	} {
		require.Contains(t, all, name)
		got, _ := points(t, all[name])
		for attrs, v := range want {
			require.InDelta(t, v, got[sorted(attrs, got)], 0, "%s %q: %v", name, attrs, got)
		}
	}
}

// sorted finds the key with the same words, in whatever order attributes come.
func sorted(attrs string, in map[string]float64) string {
	words := func(s string) string { w := strings.Fields(s); slices.Sort(w); return strings.Join(w, " ") }
	for key := range in {
		if words(key) == words(attrs) {
			return key
		}
	}
	return "missing"
}

// instrument is a row of the doc.
type instrument struct {
	unit       string
	attributes []string
}

func documented(t *testing.T) map[string]instrument {
	doc, err := os.ReadFile("doc.go")
	require.NoError(t, err)
	table := make(map[string]instrument)
	row := regexp.MustCompile(`(?m)^//\t((?:rollcall|messaging)\.[a-z.]+) +(\S+) +(.*)$`)
	name := regexp.MustCompile(`^(messaging\.[a-z.]+|queue|set|kind|verdict|status|method|state)$`)
	for _, m := range row.FindAllStringSubmatch(string(doc), -1) {
		_, list, _ := strings.Cut(m[3], "; ")
		attributes := []string{}
		for part := range strings.SplitSeq(list, ", ") {
			if name.MatchString(part) {
				attributes = append(attributes, part)
			}
		}
		slices.Sort(attributes)
		table[m[1]] = instrument{m[2], attributes}
	}
	return table
}

func TestTheDocListsEveryInstrument(t *testing.T) {
	want := documented(t)
	require.Len(t, want, 19)
	got := make(map[string]instrument)
	for name, m := range full(t) {
		_, keys := points(t, m)
		keys = append([]string{}, keys...)
		slices.Sort(keys)
		got[name] = instrument{m.Unit, keys}
	}
	require.Equal(t, want, got)
	for name, i := range want {
		for _, bad := range []string{"job", "run", "task", "id", "rollcall.job"} {
			require.NotContains(t, i.attributes, bad, name)
		}
	}
}

func TestPrometheusHasTheSameNamesTranslated(t *testing.T) {
	b, err := os.ReadFile("../promrollcall/doc.go")
	require.NoError(t, err)
	all := full(t)
	for name, i := range documented(t) {
		translated := strings.ReplaceAll(name, ".", "_")
		if i.unit == "s" {
			translated += "_seconds"
		}
		if sum, ok := all[name].Data.(metricdata.Sum[int64]); ok && sum.IsMonotonic {
			translated += "_total"
		}
		require.Regexp(t, `(?m)^//\t`+translated+` `, string(b))
	}
}

func TestAnAttemptIsASpanLinkedToItsEnqueue(t *testing.T) {
	for _, parent := range []bool{false, true} {
		t.Run(fmt.Sprint(parent), func(t *testing.T) {
			k := newKit(t, memstore.New(nil), otelrollcall.Options{Parent: parent})
			k.run(t, page{})
			spans := k.spans.Ended()
			require.Len(t, spans, 2)
			send, process := spans[0], spans[1]
			require.Equal(t, "send default", send.Name())
			require.Equal(t, trace.SpanKindProducer, send.SpanKind())
			require.Equal(t, "process default", process.Name())
			require.Equal(t, trace.SpanKindConsumer, process.SpanKind())
			require.Equal(t, codes.Unset, process.Status().Code)
			attrs := attribute.NewSet(process.Attributes()...)
			for key, want := range map[attribute.Key]string{
				"messaging.system": "rollcall", "messaging.destination.name": "default", "messaging.operation.name": "process",
				"messaging.operation.type": "process", "rollcall.job": "books", "rollcall.set": "library",
				"rollcall.kind": "page", "rollcall.retry": "0",
			} {
				v, ok := attrs.Value(key)
				require.True(t, ok, key)
				require.Equal(t, want, v.Emit(), key)
			}
			id, _ := attrs.Value("messaging.message.id")
			require.NotEmpty(t, id.AsString())
			if parent {
				require.Equal(t, send.SpanContext().SpanID(), process.Parent().SpanID())
				require.Equal(t, send.SpanContext().TraceID(), process.SpanContext().TraceID())
				require.Empty(t, process.Links())
				return
			}
			require.False(t, process.Parent().IsValid())
			require.NotEqual(t, send.SpanContext().TraceID(), process.SpanContext().TraceID())
			require.Len(t, process.Links(), 1)
			require.Equal(t, send.SpanContext().SpanID(), process.Links()[0].SpanContext.SpanID())
			require.Equal(t, send.SpanContext().TraceID(), process.Links()[0].SpanContext.TraceID())
		})
	}
}

func TestASpanSaysHowItsAttemptEnded(t *testing.T) {
	k := newKit(t, memstore.New(nil), otelrollcall.Options{})
	k.run(t, page{Fail: true}, page{Panic: true})
	var got []string
	for _, s := range k.spans.Ended()[1:] {
		require.Equal(t, codes.Error, s.Status().Code)
		got = append(got, s.Status().Description)
	}
	require.ElementsMatch(t, []string{"torn", "panicked, or ended its goroutine"}, got)
	err := k.telemetry.Send(t.Context(), "q", func(context.Context) error { return errors.New("no") })
	require.EqualError(t, err, "no")
}

// counting counts the readings of a store.
type counting struct {
	store.Store
	stats, sessions int
	err             error
}

func (c *counting) QueueStats(ctx context.Context, p int) ([]store.QueueRecord, error) {
	if c.stats++; c.err != nil {
		return nil, c.err
	}
	return c.Store.QueueStats(ctx, p)
}

func (c *counting) LiveSessions(ctx context.Context, p int) ([]store.SessionRecord, error) {
	c.sessions++
	return c.Store.LiveSessions(ctx, p)
}

func TestACollectionReadsTheStoreOnceAndOnlyOnRequest(t *testing.T) {
	s := &counting{Store: memstore.New(nil)}
	k := newKit(t, s, otelrollcall.Options{})
	k.collect(t)
	require.Zero(t, s.stats)
	_, err := k.telemetry.WatchStore(k.m, nil)
	require.NoError(t, err)
	all := k.collect(t)
	require.Equal(t, 1, s.stats)
	require.Equal(t, 2, s.sessions, "of the queues, and of the workers")
	require.NotContains(t, all, "rollcall.runs.active", "it would read all jobs")
	s.err = fmt.Errorf("broken: %w", store.ErrCorrupt)
	var got metricdata.ResourceMetrics
	require.ErrorContains(t, k.reader.Collect(t.Context(), &got), "broken")
}

func Example() {
	telemetry, err := otelrollcall.New(&otelrollcall.Options{Slots: 8}) // of the global providers
	if err != nil {
		fmt.Println(err)
		return
	}
	m, err := syncjob.New(memstore.New(nil), syncjob.Config{
		Propagator: telemetry.Propagator(),
		Observer:   telemetry.Observer(),
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer m.Close()
	_, err = telemetry.WatchStore(m, &otelrollcall.StoreOptions{Jobs: true})
	fmt.Println(err)
	// Output: <nil>
}

// What a task costs more: two callbacks, and a span.
func BenchmarkTask(b *testing.B) {
	k := newKit(b, memstore.New(nil), otelrollcall.Options{})
	e := observe.Attempt{Queue: "default", Set: "library", Kind: "page", Verdict: verdicts.Success, Took: time.Millisecond}
	o := k.telemetry.Observer()
	b.Run("metrics", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			o.AttemptStarted(b.Context(), e)
			o.AttemptDone(b.Context(), e)
		}
	})
	telemetry, err := otelrollcall.New(&otelrollcall.Options{
		TracerProvider: sdktrace.NewTracerProvider(), // makes spans, and exports none
	})
	require.NoError(b, err)
	handler := telemetry.Middleware()(func(context.Context, *handlers.Attempt) error { return nil })
	b.Run("span", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			_ = handler(b.Context(), &handlers.Attempt{ID: "t", Queue: "default", Kind: "page"})
		}
	})
}
