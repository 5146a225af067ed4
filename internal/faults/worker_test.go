package faults

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"os"
	"time"

	"github.com/rollcall-go/rollcall/store/redisstore"
	"github.com/rollcall-go/rollcall/syncjob"
)

// orderEnv is the environment variable that makes this binary a worker.
const orderEnv = "ROLLCALL_FAULTS_WORKER"

// killedItself is the exit status of a worker whose task killed it.
const killedItself = 86

// order is what a worker process is told.
type order struct {
	Name            string
	URL, Namespace  string // of the store, through the proxy
	Ledger, Witness string // address and namespace of the ledger
	Concurrency     int
	Lease, Sweep    time.Duration
}

// serve is the whole life of a worker process. It drains when its standard input ends,
// which it also does when the test binary dies.
func serve(text string) int {
	if err := work(text); err != nil {
		_, _ = fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return 0
}

func work(text string) error {
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
	registry, err := (&hands{ledger: l}).registry()
	if err != nil {
		return err
	}
	log := slog.New(slog.NewTextHandler(os.Stderr, nil))
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
	w, err := m.NewWorker(syncjob.WorkerConfig{Name: o.Name, Concurrency: o.Concurrency, Lease: o.Lease, Grace: 2 * time.Second})
	if err != nil {
		return err
	}
	if err := l.note(event{What: ready, Text: o.Name}); err != nil {
		return err
	}
	return w.Run(ctx)
}
