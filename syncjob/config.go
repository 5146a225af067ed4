package syncjob

import (
	"log/slog"
	"time"

	"github.com/rollcall-go/rollcall/enqueue"
	"github.com/rollcall-go/rollcall/handlers"
	"github.com/rollcall-go/rollcall/internal/guard"
	"github.com/rollcall-go/rollcall/store"
	"github.com/rollcall-go/rollcall/store/bounds"
	"github.com/rollcall-go/rollcall/syncjob/observe"
)

// The defaults of [Config].
const (
	DefaultNamespace  = "rollcall"
	DefaultRetention  = 72 * time.Hour
	DefaultFailureCap = 1000
)

// Propagator carries values of a context, such as a trace, in the headers of tasks and runs.
type Propagator = enqueue.Propagator

// Config configures a [Manager]. The zero value works for producers and operators.
type Config struct {
	// Registry of the handler sets. Only workers need one. With a registry, sets and kinds are
	// checked, and the Validate hooks of sets are called, before anything is written. Without a
	// registry, the manager uses queues and weights that workers published or that are configured. If
	// no worker has published the set, it uses the defaults. Any valid name is a queue: Explain and
	// Queues show tasks on queues that no live worker serves. Defaults to nil.
	Registry *handlers.Registry
	// Namespace separates deployments that share one Redis: they do not see each other's jobs,
	// queues and workers. Only Open uses it; a store that is passed to New has its own. Defaults to
	// [DefaultNamespace].
	Namespace string
	// Logger gets a record of each event; package events names them. At [slog.LevelInfo] there are no
	// records of single tasks, except those that failed for good. If the log handler panics, that
	// record is lost. Defaults to [slog.DiscardHandler].
	Logger *slog.Logger
	// Propagator carries values of a context, such as a trace, from the caller that starts a run or
	// enqueues a task, in a handler or outside, to the run's hooks and the task's attempts.
	// Defaults to none.
	Propagator Propagator
	// Observer has callbacks for metrics. Defaults to none.
	Observer observe.Observer
	// MaxPayload is the largest payload of a task, in bytes. It cannot be larger than the default.
	// Defaults to [bounds.DefaultMaxPayload].
	MaxPayload int
	// Retention is how long the summary of a finished run is kept, unless the job says
	// otherwise. Defaults to [DefaultRetention].
	Retention time.Duration
	// FailureCap is how many failed tasks a run keeps: half of them are the first that failed, half
	// are the newest. Defaults to [DefaultFailureCap].
	FailureCap int
	// Retry says how calls of the store are repeated while it does not answer. Defaults to those of
	// [store.RetryOptions].
	Retry store.RetryOptions
}

func (c *Config) setDefaults() {
	if c.Namespace == "" {
		c.Namespace = DefaultNamespace
	}
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	if c.MaxPayload == 0 {
		c.MaxPayload = bounds.DefaultMaxPayload
	}
	if c.Retention == 0 {
		c.Retention = DefaultRetention
	}
	if c.FailureCap == 0 {
		c.FailureCap = DefaultFailureCap
	}
}

func (c *Config) validate() error {
	errs := []error{store.ValidateName("Namespace", c.Namespace)}
	if c.MaxPayload < 0 || c.MaxPayload > bounds.DefaultMaxPayload {
		errs = append(errs, &FieldError{Field: "MaxPayload", Reason: "is negative or over 1 MiB"})
	}
	if c.Retention < 0 {
		errs = append(errs, &FieldError{Field: "Retention", Reason: "is negative"})
	}
	if c.FailureCap < 0 {
		errs = append(errs, &FieldError{Field: "FailureCap", Reason: "is negative"})
	}
	return store.JoinFields(errs...)
}

// retry returns Retry with the callback of the observer, which is guarded.
func (c *Config) retry() *store.RetryOptions {
	r := c.Retry
	r.OnRetry = retryApart(guard.Logger(c.Logger), "Retry.OnRetry", r.OnRetry)
	if tell := c.Observer.StoreRetry; tell != nil {
		first := r.OnRetry
		r.OnRetry = func(e store.RetryEvent) {
			if first != nil {
				first(e)
			}
			tell(e)
		}
	}
	return &r
}
