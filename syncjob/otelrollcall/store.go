package otelrollcall

import (
	"context"
	"errors"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"

	"github.com/rollcall-go/rollcall/syncjob"
)

// StoreOptions configure [Telemetry.WatchStore]. The zero value of each field is its default.
type StoreOptions struct {
	// Jobs adds rollcall.runs.active and rollcall.schedule.lateness. Then each collection reads all
	// jobs, page by page. Defaults to false.
	Jobs bool
	// Timeout of one collection. Defaults to 5 s.
	Timeout time.Duration
}

// watchSlots makes the instrument of slots.
func (t *Telemetry) watchSlots() error {
	slots, err := t.meter.Int64ObservableUpDownCounter("rollcall.worker.slots",
		metric.WithUnit("{slot}"), metric.WithDescription("Slots of the workers in this process."))
	if err != nil {
		return err
	}
	busy, idle := with(attribute.String("state", "busy")), with(attribute.String("state", "idle"))
	_, err = t.meter.RegisterCallback(func(_ context.Context, o metric.Observer) error {
		n := t.busy.Load()
		o.ObserveInt64(slots, n, busy)
		if t.slots > 0 {
			o.ObserveInt64(slots, max(0, t.slots-n), idle)
		}
		return nil
	}, slots)
	return err
}

// gauges are the instruments of a store.
type gauges struct {
	m    *syncjob.Manager
	opts StoreOptions

	tasks, unserved, workers, runs metric.Int64ObservableGauge
	oldest, lateness               metric.Float64ObservableGauge
}

// WatchStore adds the metrics of the store of a manager, until the registration is removed. The
// store is read once for each collection, so watch it in one process of a deployment, not in each
// worker. A reading that fails is an error of the collection; its metrics are missing then. Nil
// options mean all defaults. Its errors are those of the provider.
func (t *Telemetry) WatchStore(m *syncjob.Manager, opts *StoreOptions) (metric.Registration, error) {
	g := &gauges{m: m}
	if opts != nil {
		g.opts = *opts
	}
	if g.opts.Timeout <= 0 {
		g.opts.Timeout = 5 * time.Second
	}
	var all []metric.Observable
	var problems []error
	whole := func(to *metric.Int64ObservableGauge, name, unit, detail string) {
		var err error
		*to, err = t.meter.Int64ObservableGauge(name, metric.WithUnit(unit), metric.WithDescription(detail))
		all, problems = append(all, *to), append(problems, err)
	}
	seconds := func(to *metric.Float64ObservableGauge, name, detail string) {
		var err error
		*to, err = t.meter.Float64ObservableGauge(name, metric.WithUnit("s"), metric.WithDescription(detail))
		all, problems = append(all, *to), append(problems, err)
	}
	whole(&g.tasks, "rollcall.queue.tasks", "{task}", "Tasks in a queue.")
	whole(&g.unserved, "rollcall.queue.unserved", "1", "1 if tasks wait that no live worker can run.")
	whole(&g.workers, "rollcall.workers", "{worker}", "Live workers.")
	seconds(&g.oldest, "rollcall.queue.oldest.age", "Since the enqueue of the oldest waiting task.")
	if g.opts.Jobs {
		whole(&g.runs, "rollcall.runs.active", "{run}", "Jobs whose newest run has not ended.")
		seconds(&g.lateness, "rollcall.schedule.lateness", "Of the periodic job that is the most overdue.")
	}
	if err := errors.Join(problems...); err != nil {
		return nil, err
	}
	return t.meter.RegisterCallback(g.read, all...)
}

// read is called for each collection.
func (g *gauges) read(ctx context.Context, o metric.Observer) error {
	ctx, cancel := context.WithTimeout(ctx, g.opts.Timeout)
	defer cancel()
	err := errors.Join(g.queues(ctx, o), g.live(ctx, o))
	if g.opts.Jobs {
		err = errors.Join(err, g.jobs(ctx, o))
	}
	return err
}

func (g *gauges) queues(ctx context.Context, o metric.Observer) error {
	queues, err := g.m.Queues(ctx)
	if err != nil {
		return err
	}
	now := time.Now()
	for _, q := range queues {
		queue := attribute.String("queue", q.Name)
		for state, n := range map[string]int64{
			"waiting": q.Waiting, "held": q.Held, "delayed": q.Delayed, "retrying": q.Retrying, "running": q.Running,
		} {
			o.ObserveInt64(g.tasks, n, with(queue, attribute.String("state", state)))
		}
		o.ObserveFloat64(g.oldest, since(now, q.Oldest), with(queue))
		unserved := int64(0)
		if q.Unserved {
			unserved = 1
		}
		o.ObserveInt64(g.unserved, unserved, with(queue))
	}
	return nil
}

func (g *gauges) live(ctx context.Context, o metric.Observer) error {
	workers, err := g.m.Workers(ctx)
	if err != nil {
		return err
	}
	o.ObserveInt64(g.workers, int64(len(workers)))
	return nil
}

func (g *gauges) jobs(ctx context.Context, o metric.Observer) error {
	now := time.Now()
	active, late := int64(0), 0.0
	for job, err := range g.m.Jobs(ctx, nil) {
		if err != nil {
			return err
		}
		if job.Active() {
			active++
		}
		late = max(late, since(now, job.NextDue))
	}
	o.ObserveInt64(g.runs, active)
	o.ObserveFloat64(g.lateness, late)
	return nil
}

// since is the age of something at a time; 0 if it is in the future, or never was.
func since(now, at time.Time) float64 {
	if at.IsZero() {
		return 0
	}
	return max(0, now.Sub(at).Seconds())
}
