package syncjob_test

import (
	"context"
	"fmt"
	"log"

	"github.com/rollcall-go/rollcall/handlers"
	"github.com/rollcall-go/rollcall/syncjob"
)

func ExampleManager_FailureGroups() {
	ctx := context.Background()
	set := handlers.NewSet("ingest", handlers.SetConfig{
		Attributes: handlers.Attributes{MaxRetries: handlers.NoRetries},
	})
	handlers.Handle(set, func(_ context.Context, t *handlers.Task[fileArgs]) error {
		return fmt.Errorf("open %s: timeout after 1.5s", t.Args.Path)
	}, nil)
	registry, err := handlers.NewRegistry(set)
	if err != nil {
		log.Fatal(err)
	}
	m, err := syncjob.Open(ctx, "memory://", syncjob.Config{Registry: registry})
	if err != nil {
		log.Fatal(err)
	}
	defer func() { _ = m.Close() }()
	worker, err := m.NewWorker(syncjob.WorkerConfig{})
	if err != nil {
		log.Fatal(err)
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	go func() { _ = worker.Run(ctx) }()

	for _, path := range []string{"a1.txt", "b2.txt"} {
		job := syncjob.Job{Name: "import/" + path, Set: "ingest", Root: fileArgs{Path: path}}
		run, err := m.Start(ctx, job, nil)
		if err != nil {
			log.Fatal(err)
		}
		if _, err := run.Wait(ctx); err != nil {
			log.Fatal(err)
		}
	}
	groups, err := m.FailureGroups(ctx, &syncjob.AllFailuresOptions{Prefix: "import/"})
	if err != nil {
		log.Fatal(err)
	}
	for _, g := range groups.Groups {
		fmt.Println(g.Count, "of", g.Runs, "runs:", g.Kind, g.Error)
	}
	for f, err := range m.Failures(ctx, &syncjob.AllFailuresOptions{Prefix: "import/"}) {
		if err != nil {
			log.Fatal(err)
		}
		fmt.Println(f.Job, f.Error)
	}
	// Output:
	// 2 of 2 runs: file open #: timeout after #
	// import/b2.txt open b2.txt: timeout after 1.5s
	// import/a1.txt open a1.txt: timeout after 1.5s
}
