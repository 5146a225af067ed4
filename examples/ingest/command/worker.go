package command

import (
	"context"
	"errors"
	"log/slog"
	"strings"
	"time"

	"github.com/rollcall-go/rollcall/examples/ingest/mirror"
	"github.com/rollcall-go/rollcall/syncjob"
)

const workerUsage = `ingest worker -store redis://HOST:PORT [flags]

Works for jobs on a Redis until it is interrupted; then it completes what it has begun. It must
see the source and the destination of the jobs under the paths that they were started with.`

// lease is how soon other workers get the tasks of a killed worker. If a worker was only paused, a
// task may run twice; this does no harm.
const lease = 6 * time.Second

// work is the command "worker".
func (t tool) work(ctx context.Context, args []string, io streams) error {
	s := setup{handlers: t.handlers}
	var cfg syncjob.WorkerConfig
	fs := newFlags(workerUsage, io.err)
	url := fs.String("store", "", "`url` of where the jobs live: redis://HOST:PORT")
	fs.IntVar(&cfg.Concurrency, "workers", 0, "run up to `N` tasks at once (default: 2 per processor, at least 8)")
	names := fs.String(
		"queues",
		strings.Join([]string{mirror.RestartQueue, mirror.PathQueue, mirror.FileQueue}, ","),
		"`queues` to serve, separated by commas",
	)
	s.register(fs, slog.LevelInfo)
	if _, err := parse(fs, args, ""); err != nil {
		return err
	}
	if err := sharedStore(*url); err != nil {
		return err
	}
	cfg.Queues, cfg.Lease = queues(strings.Split(*names, ",")...), lease
	base, files, err := s.open(io.err)
	if err == nil {
		err = workOn(ctx, *url, base, cfg, io)
	}
	return errors.Join(err, files.Close())
}

// workOn runs a worker until ctx ends.
func workOn(ctx context.Context, url string, base syncjob.Config, cfg syncjob.WorkerConfig, io streams) (err error) {
	m, err := syncjob.Open(ctx, url, base)
	if err != nil {
		return inputError("store", err)
	}
	defer func() { err = errors.Join(err, m.Close()) }()
	worker, err := m.NewWorker(cfg)
	if err != nil {
		return workerInput(err)
	}
	say(io.out, "working")
	return worker.Run(ctx)
}

// workerInput turns an error about a worker's configuration into one about a flag.
func workerInput(err error) error {
	fe := (*syncjob.FieldError)(nil)
	switch {
	case errors.As(err, &fe) && fe.Field == "Concurrency":
		return inputError("workers", err)
	case errors.As(err, &fe):
		return inputError("queues", err)
	}
	return err
}

// queues lists each queue once.
func queues(names ...string) []syncjob.Queue {
	var list []syncjob.Queue
	seen := make(map[string]bool)
	for _, name := range names {
		if !seen[name] {
			list = append(list, syncjob.Queue{Name: name})
		}
		seen[name] = true
	}
	return list
}

// background runs a worker until the returned function is called. It does not end with ctx, because
// a run that is being stopped still needs the worker.
func background(ctx context.Context, w *syncjob.Worker) (end func() error) {
	ctx, cancel := context.WithCancel(context.WithoutCancel(ctx))
	done := make(chan error, 1)
	go func() { done <- w.Run(ctx) }()
	return func() error {
		cancel()
		return <-done
	}
}
