package syncjob_test

import (
	"context"
	"fmt"
	"iter"
	"log"
	"time"

	"github.com/rollcall-go/rollcall/enqueue"
	"github.com/rollcall-go/rollcall/handlers"
	"github.com/rollcall-go/rollcall/store/memstore"
	"github.com/rollcall-go/rollcall/syncjob"
	"github.com/rollcall-go/rollcall/syncjob/schedule"
	"github.com/rollcall-go/rollcall/syncjob/states"
)

// scanArgs is the argument of the root task; its type selects the handler.
type scanArgs struct{ Dirs int }

func (scanArgs) Kind() string { return "scan" }

type fileArgs struct{ Path string }

func (fileArgs) Kind() string { return "file" }

// ingest is a handler set: a scan fans out into files.
func ingest() *handlers.Registry {
	set := handlers.NewSet("ingest", handlers.SetConfig{})
	handlers.Handle(set, func(ctx context.Context, t *handlers.Task[scanArgs]) error {
		_, err := t.EnqueueAll(ctx, paths(t.Args.Dirs))
		return err // nil: the children appear with this success
	}, nil)
	handlers.Handle(set, func(context.Context, *handlers.Task[fileArgs]) error { return nil }, nil)
	reg, err := handlers.NewRegistry(set)
	if err != nil {
		log.Fatal(err)
	}
	return reg
}

func paths(n int) iter.Seq2[enqueue.Item, error] {
	return func(yield func(enqueue.Item, error) bool) {
		for i := range n {
			if !yield(enqueue.Task(fileArgs{fmt.Sprintf("dir/%d", i)}, nil), nil) {
				return
			}
		}
	}
}

func ExampleOpen() {
	ctx := context.Background()
	m, err := syncjob.Open(ctx, "memory://", syncjob.Config{Registry: ingest()}) // or redis://localhost:6379/0
	if err != nil {
		log.Fatal(err)
	}
	defer func() { _ = m.Close() }()
	fmt.Println(m.Ping(ctx))

	_, err = syncjob.Open(ctx, "http://localhost", syncjob.Config{})
	fmt.Println(err)
	// Output:
	// <nil>
	// open: URL has a scheme that is none of redis, rediss, valkey, valkeys, unix
}

// A producer needs no registry, and a store can be handed in.
func ExampleNew() {
	ctx := context.Background()
	s := memstore.New(nil)
	defer func() { _ = s.Close() }()
	m, err := syncjob.New(s, syncjob.Config{})
	if err != nil {
		log.Fatal(err)
	}
	defer func() { _ = m.Close() }()
	run, err := m.Start(ctx, syncjob.Job{Name: "import/42", Set: "ingest", Root: scanArgs{Dirs: 2}},
		&syncjob.StartOptions{Key: "upload-9"})
	if err != nil {
		log.Fatal(err)
	}
	state, err := run.State(ctx)
	fmt.Println(state.Job, state.Status, state.Counts.Pending, err)
	// Output: import/42 starting 1 <nil>
}

func ExampleManager_NewWorker() {
	m, err := syncjob.Open(context.Background(), "memory://", syncjob.Config{Registry: ingest()})
	if err != nil {
		log.Fatal(err)
	}
	defer func() { _ = m.Close() }()
	w, err := m.NewWorker(syncjob.WorkerConfig{Concurrency: 64})
	if err != nil {
		log.Fatal(err)
	}
	ctx, shutdown := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- w.Run(ctx) }()

	shutdown() // in a program: a signal
	fmt.Println(<-done)
	// Output: <nil>
}

func ExampleManager_Start() {
	ctx, cancel := context.WithCancel(context.Background())
	m, done := working(ctx)
	run, err := m.Start(ctx, syncjob.Job{Name: "import/42", Set: "ingest", Root: scanArgs{Dirs: 500}}, nil)
	if err != nil {
		log.Fatal(err)
	}
	final, err := run.Wait(ctx)
	fmt.Println(final.Status, final.Counts.Succeeded, err)
	cancel()
	fmt.Println(<-done, m.Close())
	// Output:
	// succeeded 501 <nil>
	// <nil> <nil>
}

// A producer breaks off in the middle of an upload. Part of the work is not the work, so the run is
// stopped.
func ExampleJob_stopAfter() {
	ctx, cancel := context.WithCancel(context.Background())
	m, done := working(ctx)
	run, err := m.Start(ctx, syncjob.Job{
		Name: "upload/7", Set: "ingest", Open: true, StopAfter: time.Second,
	}, nil)
	if err != nil {
		log.Fatal(err)
	}
	if _, err := run.Enqueue(ctx, fileArgs{"part/1"}, nil); err != nil {
		log.Fatal(err)
	}
	final, err := run.Wait(ctx) // nobody enqueues any more, and nobody seals the run
	fmt.Println(final.Status, err)
	fmt.Println(final.Reason)
	cancel()
	fmt.Println(<-done, m.Close())
	// Output:
	// stopped <nil>
	// it was left open: nothing was enqueued for the time of StopAfter
	// <nil> <nil>
}

// Every replica declares the job, at every deploy; one of their workers fires it.
func ExampleManager_Ensure() {
	ctx, cancel := context.WithCancel(context.Background())
	m, done := working(ctx)
	nightly := syncjob.Job{
		Name: "nightly", Set: "ingest", Root: scanArgs{Dirs: 500},
		Schedule: &schedule.Schedule{Cron: "0 2 * * *", Zone: "Europe/Berlin", Overlap: schedule.OverlapQueueOne, Jitter: time.Minute},
	}
	for range 2 {
		result, err := m.Ensure(ctx, nightly)
		fmt.Println(result, err)
	}
	run, err := m.TriggerNow(ctx, "nightly") // for once, now
	if err != nil {
		log.Fatal(err)
	}
	final, err := run.Wait(ctx)
	fmt.Println(final.Status, final.Counts.Succeeded, err)
	cancel()
	fmt.Println(<-done, m.Close())
	// Output:
	// created <nil>
	// unchanged <nil>
	// succeeded 501 <nil>
	// <nil> <nil>
}

// The calendar of a job is known once a worker has seen the job.
func ExampleManager_NextRuns() {
	ctx := context.Background()
	m, err := syncjob.Open(ctx, "memory://", syncjob.Config{Registry: ingest()})
	if err != nil {
		log.Fatal(err)
	}
	defer func() { _ = m.Close() }()
	_, err = m.Ensure(ctx, syncjob.Job{
		Name: "workdays", Set: "ingest", Root: scanArgs{Dirs: 500}, Schedule: &schedule.Schedule{Cron: "30 2 * * 1-5"},
	})
	if err != nil {
		log.Fatal(err)
	}
	w, err := m.NewWorker(syncjob.WorkerConfig{})
	if err != nil {
		log.Fatal(err)
	}
	if _, err := w.RunOnce(ctx); err != nil {
		log.Fatal(err)
	}
	times, err := m.NextRuns(ctx, "workdays", 5)
	days := make(map[time.Weekday]string)
	for _, at := range times {
		days[at.Weekday()] = at.UTC().Format("15:04")
	}
	fmt.Println(days, err)
	// Output: map[Monday:02:30 Tuesday:02:30 Wednesday:02:30 Thursday:02:30 Friday:02:30] <nil>
}

func ExampleRun_Watch() {
	ctx, cancel := context.WithCancel(context.Background())
	m, done := working(ctx)
	run, err := m.Start(ctx, syncjob.Job{Name: "import/42", Set: "ingest", Root: scanArgs{Dirs: 500}}, nil)
	if err != nil {
		log.Fatal(err)
	}
	var last states.Run
	for s, err := range run.Watch(ctx) {
		if err != nil {
			log.Fatal(err)
		}
		last = s // a progress bar would be drawn here
	}
	fmt.Println(last.Status, last.Counts.Done(), last.Counts.Remaining())
	cancel()
	fmt.Println(<-done, m.Close())
	// Output:
	// succeeded 501 0
	// <nil> <nil>
}

// What tasks count is exact in the end, and the post-job hook sums it up for whoever waits.
func ExampleRun_State_result() {
	set := handlers.NewSet("files", handlers.SetConfig{Hooks: handlers.Hooks{
		PostJob: func(_ context.Context, r *handlers.Run) error {
			return r.SetResult(fmt.Sprintf("%d letters in %d paths", r.Counters["letters"], r.Counts.Succeeded))
		},
	}})
	letters := handlers.NewCounter(set, "letters")
	handlers.Handle(set, func(_ context.Context, t *handlers.Task[fileArgs]) error {
		letters.Add(t, int64(len(t.Args.Path)))
		if t.Retry == 0 {
			return handlers.RetryAfter(0, nil) // counts nothing
		}
		return nil
	}, nil)
	reg, err := handlers.NewRegistry(set)
	if err != nil {
		log.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	m, done := workingOn(ctx, reg)
	run, err := m.Start(ctx, syncjob.Job{Name: "one", Set: "files", Root: fileArgs{Path: "a/b"}}, nil)
	if err != nil {
		log.Fatal(err)
	}
	final, err := run.Wait(ctx)
	if err != nil {
		log.Fatal(err)
	}
	var result string
	fmt.Println(final.DecodeResult(&result), final.Counters["letters"])
	fmt.Println(result)
	cancel()
	fmt.Println(<-done, m.Close())
	// Output:
	// <nil> 3
	// 3 letters in 1 paths
	// <nil> <nil>
}

// working is a manager with a worker that runs until ctx ends.
func working(ctx context.Context) (*syncjob.Manager, <-chan error) { return workingOn(ctx, ingest()) }

func workingOn(ctx context.Context, reg *handlers.Registry) (*syncjob.Manager, <-chan error) {
	m, err := syncjob.Open(ctx, "memory://", syncjob.Config{Registry: reg})
	if err != nil {
		log.Fatal(err)
	}
	w, err := m.NewWorker(syncjob.WorkerConfig{})
	if err != nil {
		log.Fatal(err)
	}
	done := make(chan error, 1)
	go func() { done <- w.Run(ctx) }()
	return m, done
}
