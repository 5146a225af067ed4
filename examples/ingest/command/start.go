package command

import (
	"context"
	"errors"
	"fmt"
	"os"

	"github.com/rollcall-go/rollcall/enqueue"
	"github.com/rollcall-go/rollcall/examples/ingest/mirror"
	"github.com/rollcall-go/rollcall/syncjob"
	"github.com/rollcall-go/rollcall/syncjob/states"
)

// start is the command "start".
func (t tool) start(ctx context.Context, args []string, io streams) error {
	f, err := t.parseStart(args, io)
	if err != nil {
		return err
	}
	cfg, files, err := f.setup.open(io.err)
	if err == nil {
		err = f.run(ctx, cfg, io)
	}
	return errors.Join(err, files.Close())
}

// run starts the job, and with -wait waits for its end.
func (f *startFlags) run(ctx context.Context, cfg syncjob.Config, io streams) (err error) {
	m, err := syncjob.Open(ctx, f.url, cfg)
	if err != nil {
		return inputError("store", err)
	}
	defer func() { err = errors.Join(err, m.Close()) }()
	root, err := f.args()
	if err != nil {
		return err
	}
	job := syncjob.Job{
		Name:        f.name,
		Set:         mirror.SetName,
		Root:        root,
		RootOptions: &enqueue.Options{Queue: f.restartQueue},
	}
	if f.attributes.given() {
		job.Configuration = &syncjob.Configuration{}
		f.attributes.apply(&job.Configuration.Set)
	}
	ctx = syncjob.WithReason(syncjob.WithActor(ctx, user()), "ingest start")
	var run *syncjob.Run // nil for a periodic job
	if f.interval > 0 {
		err = f.declare(ctx, m, job)
	} else {
		run, err = m.Start(ctx, job, nil)
	}
	if err != nil {
		if f.dst == "" {
			err = errors.Join(err, os.Remove(string(root.Dst)))
		}
		return f.attributes.inputError(err)
	}
	how := ""
	if f.interval > 0 {
		how = fmt.Sprintf(", every %v", f.interval)
	}
	if f.options.DryRun {
		how += "; a dry run changes nothing, and counts what it would do"
	}
	say(io.out, "job %s: %s to %s%s", f.name, root.Src, root.Dst, how)
	if !f.wait {
		return nil
	}
	if f.works() {
		worker, err := m.NewWorker(syncjob.WorkerConfig{
			Concurrency: f.workers,
			Queues:      queues(f.restartQueue, f.options.PathQueue, f.options.FileQueue),
			Lease:       lease,
		})
		if err != nil {
			return err
		}
		end := background(ctx, worker)
		defer func() { err = errors.Join(err, end()) }()
	}
	if run == nil {
		return f.followAll(ctx, m, io)
	}
	return f.follow(ctx, m, run, io)
}

// follow waits for the end of the run and reports it. When ctx ends, it stops the run first.
func (f *startFlags) follow(ctx context.Context, m *syncjob.Manager, run *syncjob.Run, io streams) error {
	final, err := show(ctx, run, io.err)
	// From here on, another signal ends the process.
	ctx = context.WithoutCancel(ctx)
	if errors.Is(err, context.Canceled) {
		say(io.err, "stopping")
		err = run.Stop(ctx, &syncjob.StopOptions{Graceful: true, Reason: "interrupted"})
		if err == nil || errors.Is(err, syncjob.ErrRunFinished) {
			final, err = run.Wait(ctx)
		}
	}
	if err != nil {
		return err
	}
	figures, err := mirror.FiguresOf(ctx, m.Values(), final)
	if err != nil {
		return fmt.Errorf("sum up: %w", err)
	}
	report(io, final, figures, f.json)
	return f.verdict(final, figures)
}

// verdict returns an error if a run did not end as the command line wants.
func (f *startFlags) verdict(s states.Run, files mirror.Figures) error {
	if f.strict && files.Failed+files.Changed > 0 {
		return errFilesFailed
	}
	return verdict(s)
}
