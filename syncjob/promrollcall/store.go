package promrollcall

import (
	"context"
	"errors"
	"log/slog"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/rollcall-go/rollcall/syncjob"
)

// StoreOptions configure a [StoreCollector]. The zero value of each field is its default.
type StoreOptions struct {
	// Jobs adds rollcall_runs_active and rollcall_schedule_lateness_seconds. Then each collection
	// reads all jobs, page by page. Defaults to false.
	Jobs bool
	// Timeout of one collection. Defaults to 5 s.
	Timeout time.Duration
	// Logger for readings that fail: their metrics are missing in that collection. Defaults to
	// [slog.DiscardHandler].
	Logger *slog.Logger
}

// StoreCollector has the metrics of a whole store. It reads the store once for each collection, so
// register it in one process of a deployment, not in each worker.
type StoreCollector struct {
	m    *syncjob.Manager
	opts StoreOptions

	tasks, oldest, unserved, workers, runs, lateness *prometheus.Desc
}

// NewStoreCollector returns a collector of the store of a manager. Nil options mean all defaults.
// It makes no call.
func NewStoreCollector(m *syncjob.Manager, opts *StoreOptions) *StoreCollector {
	c := &StoreCollector{m: m}
	if opts != nil {
		c.opts = *opts
	}
	if c.opts.Timeout <= 0 {
		c.opts.Timeout = 5 * time.Second
	}
	if c.opts.Logger == nil {
		c.opts.Logger = slog.New(slog.DiscardHandler)
	}
	gauge := func(name, help string, labels ...string) *prometheus.Desc {
		return prometheus.NewDesc(name, help, labels, nil)
	}
	c.tasks = gauge("rollcall_queue_tasks", "Tasks in a queue.", "queue", "state")
	c.oldest = gauge("rollcall_queue_oldest_age_seconds", "Since the enqueue of the oldest waiting task.", "queue")
	c.unserved = gauge("rollcall_queue_unserved", "1 if tasks wait that no live worker can run.", "queue")
	c.workers = gauge("rollcall_workers", "Live workers.")
	c.runs = gauge("rollcall_runs_active", "Jobs whose newest run has not ended.")
	c.lateness = gauge("rollcall_schedule_lateness_seconds", "Of the periodic job that is the most overdue.")
	return c
}

// Describe implements [prometheus.Collector].
func (c *StoreCollector) Describe(ch chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{c.tasks, c.oldest, c.unserved, c.workers} {
		ch <- d
	}
	if c.opts.Jobs {
		ch <- c.runs
		ch <- c.lateness
	}
}

// Collect implements [prometheus.Collector]. Each reading that fails is logged, and its metrics are
// missing.
func (c *StoreCollector) Collect(ch chan<- prometheus.Metric) {
	ctx, cancel := context.WithTimeout(context.Background(), c.opts.Timeout)
	defer cancel()
	err := errors.Join(c.queues(ctx, ch), c.live(ctx, ch))
	if c.opts.Jobs {
		err = errors.Join(err, c.jobs(ctx, ch))
	}
	if err != nil {
		c.opts.Logger.WarnContext(ctx, "cannot read the store for metrics", "error", err)
	}
}

func (c *StoreCollector) queues(ctx context.Context, ch chan<- prometheus.Metric) error {
	queues, err := c.m.Queues(ctx)
	if err != nil {
		return err
	}
	now := time.Now()
	for _, q := range queues {
		for state, n := range map[string]int64{
			"waiting": q.Waiting, "held": q.Held, "delayed": q.Delayed, "retrying": q.Retrying, "running": q.Running,
		} {
			set(ch, c.tasks, float64(n), q.Name, state)
		}
		set(ch, c.oldest, since(now, q.Oldest), q.Name)
		unserved := 0.0
		if q.Unserved {
			unserved = 1
		}
		set(ch, c.unserved, unserved, q.Name)
	}
	return nil
}

func (c *StoreCollector) live(ctx context.Context, ch chan<- prometheus.Metric) error {
	workers, err := c.m.Workers(ctx)
	if err != nil {
		return err
	}
	set(ch, c.workers, float64(len(workers)))
	return nil
}

func (c *StoreCollector) jobs(ctx context.Context, ch chan<- prometheus.Metric) error {
	now := time.Now()
	var active, late float64
	for job, err := range c.m.Jobs(ctx, nil) {
		if err != nil {
			return err
		}
		if job.Active() {
			active++
		}
		late = max(late, since(now, job.NextDue))
	}
	set(ch, c.runs, active)
	set(ch, c.lateness, late)
	return nil
}

func set(ch chan<- prometheus.Metric, d *prometheus.Desc, value float64, labels ...string) {
	ch <- prometheus.MustNewConstMetric(d, prometheus.GaugeValue, value, labels...)
}
