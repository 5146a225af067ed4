package filestore_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"

	"github.com/rollcall-go/rollcall/handlers"
	"github.com/rollcall-go/rollcall/internal/filestore"
	"github.com/rollcall-go/rollcall/syncjob"
)

type letter struct{ To string }

func (letter) Kind() string { return "letter" }

// One process starts a job, and another does its work.
func ExampleOpen() {
	dir, err := os.MkdirTemp("", "rollcall")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer func() { _ = os.RemoveAll(dir) }()
	path := filepath.Join(dir, "rollcall.json")
	for _, process := range []func(context.Context, *syncjob.Manager) error{post, deliver} {
		if err := with(path, process); err != nil {
			fmt.Println(err)
		}
	}
	// Output:
	// posted
	// for Ada
	// succeeded
}

// with calls a process with a manager on the file.
func with(path string, process func(context.Context, *syncjob.Manager) error) error {
	mail := handlers.NewSet("mail", handlers.SetConfig{})
	handlers.Handle(mail, func(_ context.Context, t *handlers.Task[letter]) error {
		fmt.Println("for", t.Args.To)
		return nil
	}, nil)
	registry, err := handlers.NewRegistry(mail)
	if err != nil {
		return err
	}
	s, err := filestore.Open(path, nil)
	if err != nil {
		return err
	}
	defer s.Close()
	manager, err := syncjob.New(s, syncjob.Config{Registry: registry})
	if err != nil {
		return err
	}
	defer manager.Close()
	return process(context.Background(), manager)
}

func post(ctx context.Context, m *syncjob.Manager) error {
	_, err := m.Start(ctx, syncjob.Job{Name: "mail/7", Set: "mail", Root: letter{To: "Ada"}}, nil)
	if err == nil {
		fmt.Println("posted")
	}
	return err
}

func deliver(ctx context.Context, m *syncjob.Manager) error {
	worker, err := m.NewWorker(syncjob.WorkerConfig{})
	if err != nil {
		return err
	}
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	drained := make(chan error, 1)
	go func() { drained <- worker.Run(ctx) }()

	run, err := m.Latest(ctx, "mail/7")
	if err != nil {
		return err
	}
	final, err := run.Wait(ctx)
	if err != nil {
		return err
	}
	fmt.Println(final.Status)
	stop()
	return <-drained
}
