package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/rollcall-go/rollcall/handlers"
	"github.com/rollcall-go/rollcall/store/semaphore"
	"github.com/rollcall-go/rollcall/syncjob"
	"github.com/rollcall-go/rollcall/syncjob/cron"
)

// What a member says, each on a line of its own.
const (
	standsBy = "stands by"
	works    = "works in place"
	rests    = "gives its place back"
	failed   = "failed:"
)

type parcel struct{ Number int }

func (parcel) Kind() string { return "parcel" }

// open makes a manager with the handlers of a member.
func open(ctx context.Context, s settings) (*syncjob.Manager, error) {
	set := handlers.NewSet("fleet", handlers.SetConfig{})
	handlers.Handle(set, s.deliver, nil)
	registry, err := handlers.NewRegistry(set)
	if err != nil {
		return nil, err
	}
	return syncjob.Open(ctx, s.redis, syncjob.Config{Registry: registry})
}

// work is a member of the fleet.
func work(ctx context.Context, s settings) (err error) {
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	go func() { // a member ends with its supervisor, in order
		_, _ = io.Copy(io.Discard, os.Stdin)
		stop()
	}()
	signal.Ignore(syscall.SIGPIPE) // so nobody may hear what it says
	m, err := open(ctx, s)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, m.Close()) }()
	worker, err := m.NewWorker(syncjob.WorkerConfig{Name: s.member, Concurrency: s.tasks, Lease: s.lease})
	if err != nil {
		return err
	}
	gate := &semaphore.Gate{
		Semaphores: semaphore.New(m.Store()),
		Key:        "fleet",
		Max:        s.places,
		TTL:        s.lease,
		Holder:     s.member,
		CanRun:     m.Writable, // nobody works while the namespace is read-only
	}
	scheduler, err := cron.New(m, cron.Config{
		OnError: func(_ string, err error) { fmt.Println(failed, err) },
	}, cron.Runner{
		Name:    "work",
		Trigger: cron.Trigger{Every: 250 * time.Millisecond},
		Gate:    gate,
		Run: func(ctx context.Context) error {
			lease, _ := semaphore.FromContext(ctx) // a gate calls it
			place, err := occupy(s.place(lease.Slot))
			if err != nil {
				return err
			}
			defer place.Close()
			fmt.Println(works, lease.Slot)
			defer fmt.Println(rests)
			return worker.Run(ctx)
		},
	})
	if err != nil {
		return err
	}
	fmt.Println(standsBy)
	return scheduler.Run(ctx)
}

// deliver is the handler. It may be called again for a parcel, after a crash, so it delivers in one
// step that works only once. It also notes each attempt, for the count at the end.
func (s *settings) deliver(ctx context.Context, t *handlers.Task[parcel]) error {
	attempts, err := os.OpenFile(s.attempts(), os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(attempts, "%d %s\n", t.Args.Number, s.member)
	if err := errors.Join(err, attempts.Close()); err != nil {
		return err
	}
	select {
	case <-time.After(20 * time.Millisecond): // the way to the customer
	case <-ctx.Done():
		return context.Cause(ctx)
	}
	door, err := os.OpenFile(s.parcel(t.Args.Number), os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if errors.Is(err, fs.ErrExist) {
		return nil // by a member that was killed before it could say so
	}
	return errors.Join(err, door.Close())
}
