package promrollcall

import (
	"context"
	"sync"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/rollcall-go/rollcall/store"
	"github.com/rollcall-go/rollcall/store/verdicts"
	"github.com/rollcall-go/rollcall/syncjob/observe"
	"github.com/rollcall-go/rollcall/syncjob/states"
)

// Options configure [Metrics]. The zero value of each field is its default.
type Options struct {
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

// Metrics are those of a process. It is a [prometheus.Collector]. Give its Observer to the managers
// of the process. Its methods may be called concurrently.
type Metrics struct {
	sent, consumed    *prometheus.CounterVec
	operations        *prometheus.HistogramVec
	process           *prometheus.HistogramVec
	attempts          *prometheus.CounterVec
	wait              *prometheus.HistogramVec
	started, finished *prometheus.CounterVec
	duration          *prometheus.HistogramVec
	reclaimed, lost   prometheus.Counter
	retries           *prometheus.CounterVec
	slots             *prometheus.Desc
	all               []prometheus.Collector
	busy              atomic.Int64
	size              int64
	receive, settle   prometheus.Observer
	tasks             sync.Map // of *taskMetrics, by route
}

// route is whose attempts are counted together.
type route struct{ queue, set, kind string }

// taskMetrics are those of one route, so that an attempt looks up nothing else.
type taskMetrics struct {
	process, wait prometheus.Observer
	attempts      func(verdicts.Verdict) prometheus.Counter
}

const system = "rollcall"

// New returns the metrics of a process. Nil options mean all defaults.
func New(opts *Options) *Metrics {
	var o Options
	if opts != nil {
		o = *opts
	}
	if o.Buckets == nil {
		o.Buckets = Buckets()
	}
	messaging := prometheus.Labels{"messaging_system": system}
	counter := func(name, help string, labels ...string) *prometheus.CounterVec {
		return prometheus.NewCounterVec(prometheus.CounterOpts{Name: name, Help: help}, labels)
	}
	histogram := func(name, help string, constant prometheus.Labels, labels ...string) *prometheus.HistogramVec {
		return prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: name, Help: help, ConstLabels: constant, Buckets: o.Buckets,
		}, labels)
	}
	m := &Metrics{
		sent: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "messaging_client_sent_messages_total", Help: "Tasks that this process added.", ConstLabels: messaging,
		}, []string{"messaging_destination_name"}),
		consumed: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "messaging_client_consumed_messages_total", Help: "Tasks that this process fetched.", ConstLabels: messaging,
		}, []string{"messaging_destination_name"}),
		operations: histogram("messaging_client_operation_duration_seconds", "Calls of the store by workers.",
			messaging, "messaging_operation_name"),
		process: histogram("messaging_process_duration_seconds", "Attempts of tasks and hooks.",
			messaging, "messaging_destination_name", "set", "kind"),
		attempts: counter("rollcall_task_attempts_total", "Attempts of tasks and hooks that ended.",
			"queue", "set", "kind", "verdict"),
		wait: histogram("rollcall_task_wait_seconds", "From the enqueue of a task to an attempt.",
			nil, "queue", "set", "kind"),
		started:  counter("rollcall_run_started_total", "Runs that this process started.", "set"),
		finished: counter("rollcall_run_finished_total", "Runs that ended through this process.", "set", "status"),
		duration: histogram("rollcall_run_duration_seconds", "From the first fetch to the end of a run.",
			nil, "set", "status"),
		reclaimed: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "rollcall_task_reclaimed_total", Help: "Tasks recovered from dead workers.",
		}),
		lost: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "rollcall_session_lost_total", Help: "Sessions of dead workers, one in each partition.",
		}),
		retries: counter("rollcall_store_retries_total", "Calls of the store that failed and were repeated.", "method"),
		slots: prometheus.NewDesc(
			"rollcall_worker_slots",
			"Slots of the workers in this process.",
			[]string{"state"},
			nil,
		),
		size: int64(o.Slots),
	}
	m.receive = m.operations.WithLabelValues("receive")
	m.settle = m.operations.WithLabelValues("settle")
	m.all = []prometheus.Collector{
		m.sent, m.consumed, m.operations, m.process, m.attempts, m.wait, m.started, m.finished, m.duration,
		m.reclaimed, m.lost, m.retries,
	}
	return m
}

// Describe implements [prometheus.Collector].
func (m *Metrics) Describe(ch chan<- *prometheus.Desc) {
	for _, c := range m.all {
		c.Describe(ch)
	}
	ch <- m.slots
}

// Collect implements [prometheus.Collector].
func (m *Metrics) Collect(ch chan<- prometheus.Metric) {
	for _, c := range m.all {
		c.Collect(ch)
	}
	busy := m.busy.Load()
	ch <- prometheus.MustNewConstMetric(m.slots, prometheus.GaugeValue, float64(busy), "busy")
	if m.size > 0 {
		ch <- prometheus.MustNewConstMetric(m.slots, prometheus.GaugeValue, float64(max(0, m.size-busy)), "idle")
	}
}

// Observer returns the callbacks that feed the metrics, for [syncjob.Config]. To observe more, put
// functions of your own around them.
func (m *Metrics) Observer() observe.Observer {
	return observe.Observer{
		Enqueued: func(_ context.Context, e observe.Enqueue) {
			m.sent.WithLabelValues(e.Queue).Add(float64(e.Tasks))
		},
		AttemptStarted: func(_ context.Context, e observe.Attempt) {
			m.busy.Add(1)
			m.of(e).wait.Observe(max(0, e.Wait).Seconds())
		},
		AttemptDone: func(_ context.Context, e observe.Attempt) {
			m.busy.Add(-1)
			t := m.of(e)
			t.process.Observe(e.Took.Seconds())
			t.attempts(e.Verdict).Inc()
		},
		RunStarted: func(_ context.Context, e observe.Run) { m.started.WithLabelValues(e.Set).Inc() },
		RunDone: func(_ context.Context, s states.Run) {
			m.finished.WithLabelValues(s.Set, string(s.Status)).Inc()
			m.duration.WithLabelValues(s.Set, string(s.Status)).Observe(s.Elapsed.Seconds())
		},
		Fetched: func(_ context.Context, e observe.Fetch) {
			for queue, n := range e.Queues {
				m.consumed.WithLabelValues(queue).Add(float64(n))
			}
			m.receive.Observe(e.Took.Seconds())
		},
		Settled: func(_ context.Context, e observe.Settle) { m.settle.Observe(e.Took.Seconds()) },
		Reclaimed: func(_ context.Context, e observe.Reclaim) {
			m.lost.Add(float64(e.Sessions))
			m.reclaimed.Add(float64(e.Tasks))
		},
		StoreRetry: func(e store.RetryEvent) { m.retries.WithLabelValues(e.Method).Inc() },
	}
}

// of returns the metrics of the route of an attempt.
func (m *Metrics) of(e observe.Attempt) *taskMetrics {
	r := route{e.Queue, e.Set, e.Kind}
	if t, ok := m.tasks.Load(r); ok {
		return t.(*taskMetrics)
	}
	var counters sync.Map
	t := &taskMetrics{
		process: m.process.WithLabelValues(r.queue, r.set, r.kind),
		wait:    m.wait.WithLabelValues(r.queue, r.set, r.kind),
		attempts: func(v verdicts.Verdict) prometheus.Counter {
			if c, ok := counters.Load(v); ok {
				return c.(prometheus.Counter)
			}
			c := m.attempts.WithLabelValues(r.queue, r.set, r.kind, v.String())
			counters.Store(v, c)
			return c
		},
	}
	known, _ := m.tasks.LoadOrStore(r, t)
	return known.(*taskMetrics)
}

// since is the age of something at a time; 0 if it is in the future, or never was.
func since(now, at time.Time) float64 {
	if at.IsZero() {
		return 0
	}
	return max(0, now.Sub(at).Seconds())
}
