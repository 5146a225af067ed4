package faults

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"time"

	"github.com/rollcall-go/rollcall/handlers"
	"github.com/rollcall-go/rollcall/store/redisstore"
	"github.com/rollcall-go/rollcall/syncjob"
)

// orderEnv is the environment variable that makes this binary a worker.
const orderEnv = "ROLLCALL_FAULTS_WORKER"

// killedItself is the exit status of a worker whose task killed it.
const killedItself = 86

// order is what a process is told.
type order struct {
	Role            string // what it is; empty for a worker
	Name            string
	URL, Namespace  string // of the store, through the proxy
	Ledger, Witness string // address and namespace of the ledger
	Concurrency     int
	Queues          []string // none for the default
	Deliveries      int      // of a task, before it fails; 0 for 2
	Desk            bool     // it also works on chores
	Lease, Sweep    time.Duration
	Certificate     string // PEM file of the one to trust; empty for the system's
	Debug           bool   // log everything

	// For a producer: the run, whose children it enqueues, under which hold, and after
	// how many it waits at the gate "producer". For an operator: the beginning of the names of its
	// jobs, and after how many steps it waits at the gate "operator".
	Job    string
	Number int64
	Parent node
	Hold   string
	Halt   int
}

// roles are what a process can be.
var roles = map[string]func(context.Context, order, *ledger) error{
	"":           work,
	roleProducer: produce,
	roleHolder:   hold,
	roleTicker:   tick,
	roleGated:    workGated,
	roleOperator: operate,
}

// serve is the whole life of a process. It drains when its standard input ends, which
// that also does when the test binary dies.
func serve(text string) int {
	if err := play(text); err != nil {
		_, _ = fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return 0
}

func play(text string) error {
	var o order
	if err := json.Unmarshal([]byte(text), &o); err != nil {
		return fmt.Errorf("decode the order: %w", err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	go func() {
		_, _ = io.Copy(io.Discard, os.Stdin)
		cancel()
	}()
	l, err := openLedger(o.Ledger, o.Witness, o.Name)
	if err != nil {
		return err
	}
	defer l.close()
	return roles[o.Role](ctx, o, l)
}

// work is a worker.
func work(ctx context.Context, o order, l *ledger) error {
	registry, err := (&hands{ledger: l, deliveries: o.Deliveries}).registry()
	if err != nil {
		return err
	}
	if !o.Desk {
		return workWith(ctx, o, l, registry)
	}
	desk := make(chan error, 1)
	go func() { desk <- workAtDesk(ctx, o, l) }()
	err = workWith(ctx, o, l, registry)
	return errors.Join(err, <-desk)
}

// workWith is a worker with the given handlers.
func workWith(ctx context.Context, o order, l *ledger, registry *handlers.Registry) error {
	return withManager(ctx, o, registry, func(m *syncjob.Manager) error {
		w, err := o.worker(m)
		if err != nil {
			return err
		}
		if err := l.note(event{What: ready, Text: o.Name}); err != nil {
			return err
		}
		return w.Run(ctx)
	})
}

// withManager calls fn with a manager of the store that the order names.
func withManager(ctx context.Context, o order, registry *handlers.Registry, fn func(*syncjob.Manager) error) error {
	level := slog.LevelInfo
	if o.Debug {
		level = slog.LevelDebug
	}
	log := slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: level}))
	s, err := redisstore.Open(ctx, o.URL, redisstore.Config{Namespace: o.Namespace, SweepInterval: o.Sweep, Logger: log})
	if err != nil {
		return err
	}
	defer func() { _ = s.Close() }()
	m, err := syncjob.New(s, syncjob.Config{Registry: registry, Logger: log})
	if err != nil {
		return err
	}
	defer func() { _ = m.Close() }()
	return fn(m)
}

// version is that of the programs of all workers.
const version = "v1.2.3"

func (o *order) worker(m *syncjob.Manager) (*syncjob.Worker, error) {
	c := syncjob.WorkerConfig{Name: o.Name, Version: version, Concurrency: o.Concurrency, Lease: o.Lease, Grace: 2 * time.Second}
	for _, name := range o.Queues {
		c.Queues = append(c.Queues, syncjob.Queue{Name: name})
	}
	return m.NewWorker(c)
}
