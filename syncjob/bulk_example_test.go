package syncjob_test

import (
	"context"
	"errors"
	"fmt"
	"log"
	"sync/atomic"

	"github.com/rollcall-go/rollcall/handlers"
	"github.com/rollcall-go/rollcall/syncjob"
	"github.com/rollcall-go/rollcall/syncjob/schedule"
	"github.com/rollcall-go/rollcall/syncjob/states"
)

// tenants opens a manager with two runs and a periodic job of one tenant, and a run of another.
func tenants(ctx context.Context) *syncjob.Manager {
	m, err := syncjob.Open(ctx, "memory://", syncjob.Config{})
	if err != nil {
		log.Fatal(err)
	}
	for name, tenant := range map[string]string{"import/1": "acme", "import/2": "acme", "import/3": "other"} {
		job := syncjob.Job{Name: name, Set: "ingest", Root: fileArgs{}, Labels: map[string]string{"tenant": tenant}}
		if _, err := m.Start(ctx, job, nil); err != nil {
			log.Fatal(err)
		}
	}
	if _, err := m.Ensure(ctx, syncjob.Job{
		Name: "nightly", Set: "ingest", Root: fileArgs{}, Labels: map[string]string{"tenant": "acme"},
		Schedule: &schedule.Schedule{Cron: "0 3 * * *"},
	}); err != nil {
		log.Fatal(err)
	}
	return m
}

// What a call on many jobs would do is asked first, with the same options.
func ExampleManager_StopAll() {
	ctx := syncjob.WithReason(syncjob.WithActor(context.Background(), "ann"), "the contract ended")
	m := tenants(ctx)
	defer func() { _ = m.Close() }()

	options := syncjob.BulkOptions{Jobs: syncjob.JobsOptions{Labels: map[string]string{"tenant": "acme"}}, DryRun: true}
	would, err := m.StopAll(ctx, &options)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Printf("would stop %d of %d jobs, with %d tasks\n", would.Changed, would.Matched, would.Tasks)

	options.DryRun, options.Rate = false, 100 // a second
	options.Progress = func(j states.BulkJob, _ states.BulkResult) { fmt.Println(j.Job, j.Did) }
	stopped, err := m.StopAll(ctx, &options)
	if err != nil {
		log.Fatal(err)
	}
	for entry, err := range m.Audit(ctx, &syncjob.AuditOptions{By: "ann", Action: "stop"}) {
		if err != nil {
			log.Fatal(err)
		}
		fmt.Println(entry.Action, entry.Reason, entry.Operation == stopped.Operation)
	}
	again, err := m.StopAll(ctx, &options)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println("already:", again.Already)
	// Output:
	// would stop 3 of 3 jobs, with 2 tasks
	// import/1 changed
	// import/2 changed
	// nightly changed
	// stop the contract ended true
	// stop the contract ended true
	// import/1 already
	// import/2 already
	// nightly already
	// already: 3
}

func ExampleManager_EnableAll() {
	ctx := context.Background()
	m := tenants(ctx)
	defer func() { _ = m.Close() }()

	periodic := &syncjob.BulkOptions{Jobs: syncjob.JobsOptions{Group: syncjob.GroupPeriodic}}
	if _, err := m.StopAll(ctx, periodic); err != nil {
		log.Fatal(err)
	}
	enabled, err := m.EnableAll(ctx, periodic)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println("enabled", enabled.Changed)
	// Output:
	// enabled 1
}

func ExampleManager_PauseAll() {
	ctx := context.Background()
	m := tenants(ctx)
	defer func() { _ = m.Close() }()

	if _, err := m.PauseAll(ctx, nil); errors.Is(err, syncjob.ErrInvalid) {
		fmt.Println("a filter that was forgotten pauses nothing")
	}
	imports := &syncjob.BulkOptions{Jobs: syncjob.JobsOptions{Prefix: "import/", Group: syncjob.GroupActive}}
	paused, err := m.PauseAll(ctx, imports)
	if err != nil {
		log.Fatal(err)
	}
	resumed, err := m.ResumeAll(ctx, imports)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println("paused", paused.Changed, "and resumed", resumed.Changed)
	// Output:
	// a filter that was forgotten pauses nothing
	// paused 3 and resumed 3
}

func ExampleManager_ResumeAll() {
	ctx := context.Background()
	m := tenants(ctx)
	defer func() { _ = m.Close() }()

	if err := m.PauseJob(ctx, "import/2"); err != nil {
		log.Fatal(err)
	}
	resumed, err := m.ResumeAll(ctx, &syncjob.BulkOptions{All: true})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println("resumed", resumed.Changed, "of", resumed.Matched)
	// Output:
	// resumed 1 of 4
}

// After an outage, what failed in all jobs runs again.
func ExampleManager_RetryAll() {
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	var mounted atomic.Bool // whether the disk is there
	set := handlers.NewSet("ingest", handlers.SetConfig{
		Attributes: handlers.Attributes{MaxRetries: handlers.NoRetries},
	})
	handlers.Handle(set, func(_ context.Context, t *handlers.Task[fileArgs]) error {
		if !mounted.Load() {
			return fmt.Errorf("open %s: no such file", t.Args.Path)
		}
		return nil
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
	go func() { _ = worker.Run(ctx) }()

	for _, name := range []string{"import/1", "import/2"} {
		run, err := m.Start(
			ctx,
			syncjob.Job{Name: name, Set: "ingest", Root: fileArgs{}, OnFailure: syncjob.OnFailureHold},
			nil,
		)
		if err != nil {
			log.Fatal(err)
		}
		for state, err := range run.Watch(ctx) {
			if err != nil {
				log.Fatal(err)
			}
			if state.Held {
				break
			}
		}
	}
	mounted.Store(true)

	held := syncjob.JobsOptions{Prefix: "import/", Held: true}
	retried, err := m.RetryAll(ctx, &syncjob.BulkOptions{Jobs: held, Kinds: []string{"file"}, Rate: 1000})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println("retried", retried.Tasks, "tasks of", retried.Changed, "jobs")
	for _, name := range []string{"import/1", "import/2"} {
		run, err := m.Latest(ctx, name)
		if err != nil {
			log.Fatal(err)
		}
		final, err := run.Wait(ctx)
		if err != nil {
			log.Fatal(err)
		}
		fmt.Println(name, final.Status)
	}
	discarded, err := m.DiscardAll(ctx, &syncjob.BulkOptions{All: true})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println("left to discard:", discarded.Tasks)
	// Output:
	// retried 2 tasks of 2 jobs
	// import/1 succeeded
	// import/2 succeeded
	// left to discard: 0
}
