package syncjob

import (
	"context"
	"fmt"
	"os"
	"runtime"
	"slices"
	"time"

	"github.com/rollcall-go/rollcall/handlers"
	"github.com/rollcall-go/rollcall/internal/worker"
	"github.com/rollcall-go/rollcall/store"
	"github.com/rollcall-go/rollcall/store/bounds"
)

// The defaults and limits of [WorkerConfig].
const (
	DefaultGrace   = 20 * time.Second
	DefaultLease   = 15 * time.Second
	MinLease       = time.Second
	MaxConcurrency = 10000
	minConcurrency = 8 // of the default: most handlers spend their time waiting
)

// NoGrace makes a worker cancel its handlers at once when it shuts down.
const NoGrace time.Duration = -1

// Queue is one queue that a worker consumes.
type Queue struct {
	Name string
	// Weight is the queue's share of the worker, relative to the worker's other queues that have
	// tasks, from 0.000001 to 1000000. Defaults to 1.
	Weight float64
}

// WorkerConfig configures a [Worker].
type WorkerConfig struct {
	// Name is shown with running tasks and failures. Defaults to host and process ID.
	Name string
	// Version is the version of the program, at most 128 bytes: [Manager.Workers] shows it, so that
	// you see which workers are older than others. Defaults to what Go stamped into the program: the
	// version of its main module, else the revision of its source, with "+dirty" if that was changed;
	// empty if there is neither.
	Version string
	// Concurrency is how many handlers run at once. Defaults to twice GOMAXPROCS, but
	// at least 8.
	Concurrency int
	// Queues are the queues to fetch from; they do not change while the worker runs. Defaults to
	// those in the code of the registry's sets.
	Queues []Queue
	// StrictOrder fetches from a queue only while the queues before it are empty, and ignores
	// weights. Defaults to false: queues share the worker by weight.
	StrictOrder bool
	// CanRun is asked before each fetch whether the worker may run tasks, as the function of that name
	// in [semaphore.Gate] is before each run. While it returns false, the worker fetches nothing: what
	// runs goes on to its end, and what was fetched and not started is given back, which is not
	// counted as an attempt. A fetch that is in progress may still bring some tasks that start. The
	// worker asks again four times a second. RunOnce waits until it may. The function should return at
	// once, and may be called concurrently; its context ends when the worker stops fetching. A panic,
	// and no answer within a second, count as false. Defaults to a function that returns true.
	CanRun func(ctx context.Context) bool
	// Grace is how long handlers may go on after the worker is told to stop, before their contexts
	// are cancelled; [NoGrace] cancels them at once. [Worker.Run] returns within Grace + 3 s.
	// Defaults to [DefaultGrace].
	Grace time.Duration
	// Lease is how long the worker keeps its tasks without a heartbeat; then other workers get
	// them. The worker renews it after each third of Lease, however long a task takes. At least
	// [MinLease]. Defaults to [DefaultLease].
	Lease time.Duration

	poll time.Duration // how often it looks for work and permits without a signal; tests set it
}

func (c *WorkerConfig) setDefaults(reg *handlers.Registry) {
	if c.Name == "" {
		c.Name = actor(context.Background()) // host and process
	}
	if c.Version == "" {
		c.Version = programVersion()
	}
	if c.Concurrency == 0 {
		c.Concurrency = max(minConcurrency, 2*runtime.GOMAXPROCS(0))
	}
	c.Queues = slices.Clone(c.Queues)
	if len(c.Queues) == 0 && reg != nil {
		for _, name := range reg.Queues() {
			c.Queues = append(c.Queues, Queue{Name: name})
		}
	}
	for i := range c.Queues {
		if c.Queues[i].Weight == 0 {
			c.Queues[i].Weight = 1
		}
	}
	switch {
	case c.Grace == 0:
		c.Grace = DefaultGrace
	case c.Grace == NoGrace:
		c.Grace = 0
	}
	if c.Lease == 0 {
		c.Lease = DefaultLease
	}
	if c.poll == 0 {
		c.poll = worker.DefaultPoll
	}
}

// validate reports every problem. The defaults are already set.
func (c *WorkerConfig) validate(reg *handlers.Registry) error {
	var errs []error
	bad := func(field, reason string) {
		errs = append(errs, &FieldError{Field: field, Reason: reason})
	}
	if reg == nil {
		bad("Registry", "is nil: a worker needs handlers")
	}
	errs = append(errs, checkText("Name", c.Name))
	switch {
	case len(c.Version) > bounds.MaxVersionLen:
		bad("Version", fmt.Sprintf("is longer than %d bytes", bounds.MaxVersionLen))
	case c.Version != "":
		errs = append(errs, checkText("Version", c.Version))
	}
	if c.Concurrency < 0 || c.Concurrency > MaxConcurrency {
		bad("Concurrency", fmt.Sprintf("is not between 1 and %d", MaxConcurrency))
	}
	if c.Grace < 0 {
		bad("Grace", "is negative and not NoGrace")
	}
	if c.Lease < MinLease {
		bad("Lease", fmt.Sprintf("is below %v", MinLease))
	}
	if len(c.Queues) == 0 && reg != nil {
		bad("Queues", "is empty, and the registry has no queues")
	}
	seen := make(map[string]bool, len(c.Queues))
	for i, q := range c.Queues {
		name := fmt.Sprintf("Queues[%d].Name", i)
		errs = append(errs, store.ValidateName(name, q.Name))
		if seen[q.Name] {
			bad(name, fmt.Sprintf("repeats %q", q.Name))
		}
		seen[q.Name] = true
		errs = append(errs, store.RenameFields(store.ValidateWeight(q.Weight), func(field string) string {
			return fmt.Sprintf("Queues[%d].%s", i, field)
		}))
	}
	return store.JoinFields(errs...)
}

// info returns the description of the worker for the store.
func (c *WorkerConfig) info(routes []store.Route) store.WorkerInfo {
	return store.WorkerInfo{
		Name:        c.Name,
		Host:        hostname(),
		PID:         os.Getpid(),
		Version:     c.Version,
		Concurrency: c.Concurrency,
		Routes:      routes,
		Started:     time.Now(),
	}
}

func hostname() string {
	host, err := os.Hostname()
	if err != nil {
		return "unknown-host"
	}
	return host
}
