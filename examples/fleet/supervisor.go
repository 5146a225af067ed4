package main

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"os"
	"path/filepath"

	"github.com/rollcall-go/rollcall/enqueue"
	"github.com/rollcall-go/rollcall/syncjob"
)

// supervisor starts members, and replaces them while tasks flow.
type supervisor struct {
	settings
	run     *syncjob.Run
	crew    *crew
	started int // members, so far
	parcels int // so far
}

// supervise is the program without -member.
func supervise(ctx context.Context, s settings) (err error) {
	if s.dir == "" {
		if s.dir, err = os.MkdirTemp("", "fleet-"); err != nil {
			return err
		}
		defer func() { err = errors.Join(err, os.RemoveAll(s.dir)) }()
	} else if err := os.Mkdir(s.dir, 0o700); err != nil {
		return err
	}
	if s.redis == "" {
		url, end, err := startRedis(ctx)
		if err != nil {
			return err
		}
		defer end()
		s.redis = url
	}
	m, err := open(ctx, s)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, m.Close()) }()
	job := syncjob.Job{Name: "deliveries/" + filepath.Base(s.dir), Set: "fleet", Open: true}
	run, err := m.Start(ctx, job, nil)
	if err != nil {
		return err
	}
	f := &supervisor{settings: s, run: run, crew: newCrew()}
	if err = f.roll(ctx); err != nil {
		if ctx.Err() != nil {
			f.crew.say("interrupted")
			err = nil
		}
		stopped := run.Stop(context.WithoutCancel(ctx), &syncjob.StopOptions{Graceful: true, Reason: "the fleet ends"})
		if !errors.Is(stopped, syncjob.ErrRunFinished) {
			err = errors.Join(err, stopped)
		}
	}
	if err = errors.Join(err, f.crew.stopAll()); err != nil || ctx.Err() != nil {
		return err
	}
	return audit(s, f.parcels, f.crew.killed)
}

// roll replaces members until all rounds are over and every parcel is delivered.
func (f *supervisor) roll(ctx context.Context) error {
	fmt.Printf("%d members run %d tasks each, and %d of them work at a time\n", f.processes, f.tasks, f.places)
	for range f.processes {
		if err := f.hire(ctx); err != nil {
			return err
		}
	}
	for round := 1; round <= f.rounds; round++ {
		if err := f.hire(ctx); err != nil { // the successor stands by first
			return err
		}
		if err := f.add(ctx); err != nil {
			return err
		}
		if err := f.crew.retire(ctx, f.kill > 0 && round%f.kill == 0); err != nil {
			return err
		}
	}
	if err := f.run.Seal(ctx); err != nil {
		return err
	}
	final, err := f.run.Wait(ctx)
	if err != nil {
		return err
	}
	f.crew.say("%s: %d of %d tasks succeeded", final.Status, final.Counts.Succeeded, final.Counts.Total)
	return nil
}

// hire starts a member, and waits until it stands by.
func (f *supervisor) hire(ctx context.Context) error {
	f.started++
	name := fmt.Sprint("member-", f.started)
	return f.crew.start(ctx, name, f.flags(name))
}

// add adds a batch of parcels, and waits until the first of them are delivered.
func (f *supervisor) add(ctx context.Context) error {
	before, err := f.run.State(ctx)
	if err != nil {
		return err
	}
	if _, err := f.run.EnqueueAll(ctx, f.more(), nil); err != nil {
		return err
	}
	for now, err := range f.run.Watch(ctx) {
		if err != nil {
			return err
		}
		if now.Counts.Succeeded > before.Counts.Succeeded {
			f.crew.say("%d of %d parcels are delivered", now.Counts.Succeeded, now.Counts.Total)
			return nil
		}
	}
	return errors.New("the run has ended")
}

func (f *supervisor) more() iter.Seq2[enqueue.Item, error] {
	return func(yield func(enqueue.Item, error) bool) {
		for range f.batch {
			f.parcels++
			if !yield(enqueue.Task(parcel{f.parcels}, nil), nil) {
				return
			}
		}
	}
}
