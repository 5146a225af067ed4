package syncjob

import (
	"log/slog"
	"time"

	"github.com/rollcall-go/rollcall/enqueue"
	"github.com/rollcall-go/rollcall/handlers"
	"github.com/rollcall-go/rollcall/internal/guard"
	"github.com/rollcall-go/rollcall/store"
)

// The defaults of [Config].
const (
	DefaultNamespace  = "rollcall"
	DefaultRetention  = 72 * time.Hour
	DefaultFailureCap = 1000
)

// Propagator carries what belongs to a context in the headers of tasks and runs.
type Propagator = enqueue.Propagator

// Config configures a [Manager]. The zero value works for producers and operators.
type Config struct {
	// Registry of the handler sets. Only workers need one; with one, sets and kinds are
	// checked before anything is written, and sets' Validate hooks are asked. Who has none goes by the queues and weights that workers
	// published and that are configured; a set of which no worker has ever started has the defaults. Any valid name is
	// a queue: Explain and Queues tell of tasks on one that no live worker serves. Defaults to nil.
	Registry *handlers.Registry
	// Namespace keeps deployments in one Redis apart: jobs, queues and workers of
	// different namespaces never meet. Only Open uses it; a store that is handed to New
	// has its own. Defaults to [DefaultNamespace].
	Namespace string
	// Logger of what happens, under the names of package events: quiet about single tasks at [slog.LevelInfo]. Defaults to
	// [slog.DiscardHandler]. Where a handler of it panics, that record is lost.
	Logger *slog.Logger
	// Propagator carries what belongs to a context, such as a trace, with tasks from Start and Enqueue, outside of handlers and in
	// them, to the attempts, and with runs to their hooks. Defaults to none.
	Propagator Propagator
	// Observer is told what happens, for metrics. Defaults to nobody.
	Observer Observer
	// MaxPayload is the largest payload of a task, in bytes, up to and by default
	// [store.DefaultMaxPayload].
	MaxPayload int
	// Retention is how long the summary of a finished run is kept, unless the job says
	// otherwise. Defaults to [DefaultRetention].
	Retention time.Duration
	// FailureCap is how many failed tasks a run keeps: the first half of that many, and the newest.
	// Defaults to [DefaultFailureCap].
	FailureCap int
	// Retry tunes how calls of the store are repeated while it is out of reach.
	// Defaults to the defaults of [store.RetryOptions].
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
		c.MaxPayload = store.DefaultMaxPayload
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
	if c.MaxPayload < 0 || c.MaxPayload > store.DefaultMaxPayload {
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

// retry is Retry with the observer, which is guarded.
func (c *Config) retry() *store.RetryOptions {
	r := c.Retry
	r.OnRetry = apart(guard.Logger(c.Logger), "Retry.OnRetry", r.OnRetry)
	if observe := c.Observer.StoreRetry; observe != nil {
		first := r.OnRetry
		r.OnRetry = func(e store.RetryEvent) {
			if first != nil {
				first(e)
			}
			observe(e)
		}
	}
	return &r
}
