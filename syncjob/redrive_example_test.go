package syncjob_test

import (
	"context"
	"errors"
	"fmt"
	"log"
	"sync/atomic"

	"github.com/rollcall-go/rollcall/handlers"
	"github.com/rollcall-go/rollcall/syncjob"
)

func ExampleRun_Redrive() {
	ctx := context.Background()
	var disk atomic.Bool // is it there?
	set := handlers.NewSet("ingest", handlers.SetConfig{Attributes: handlers.Attributes{MaxRetries: handlers.NoRetries}})
	handlers.Handle(set, func(context.Context, *handlers.Task[fileArgs]) error {
		if !disk.Load() {
			return errors.New("no such device")
		}
		return nil
	}, nil)
	reg, err := handlers.NewRegistry(set)
	if err != nil {
		log.Fatal(err)
	}
	m, err := syncjob.Open(ctx, "memory://", syncjob.Config{Registry: reg})
	if err != nil {
		log.Fatal(err)
	}
	defer func() { _ = m.Close() }()
	w, err := m.NewWorker(syncjob.WorkerConfig{})
	if err != nil {
		log.Fatal(err)
	}

	run, err := m.Start(ctx, syncjob.Job{Name: "import/42", Set: "ingest", Root: fileArgs{"a.txt"}}, nil)
	if err != nil {
		log.Fatal(err)
	}
	if _, err := w.RunOnce(ctx); err != nil {
		log.Fatal(err)
	}
	for f, err := range run.Failures(ctx, &syncjob.FailuresOptions{Limit: 10}) {
		var args fileArgs
		fmt.Println(f.TaskID, f.Kind, f.DecodeArgs(&args), args.Path, f.Error, err)
	}

	disk.Store(true)
	again, err := run.Redrive(ctx, nil)
	if err != nil {
		log.Fatal(err)
	}
	if _, err := w.RunOnce(ctx); err != nil {
		log.Fatal(err)
	}
	final, err := again.Wait(ctx)
	fmt.Println(final.Status, final.Counts.Succeeded, final.RedriveOf == run.Number(), err)
	// Output:
	// root file <nil> a.txt no such device <nil>
	// succeeded 1 true <nil>
}
