// Package rollcall documents a library that runs jobs on Redis. A job is a named unit of work that
// fans out into many tasks; any number of processes run them, and the job is done exactly when its
// last task is. This package has no code. Import what you use:
//
//   - [github.com/rollcall-go/rollcall/syncjob]: Manager, Run and Worker, which most programs hold
//   - [github.com/rollcall-go/rollcall/handlers]: handler sets, typed handlers, attributes, hooks
//   - [github.com/rollcall-go/rollcall/enqueue]: items and options of tasks
//   - [github.com/rollcall-go/rollcall/store]: the contract of stores, records and errors;
//     [github.com/rollcall-go/rollcall/store/redisstore] and
//     [github.com/rollcall-go/rollcall/store/memstore] implement it
//
// # The tour
//
// The type of a task's arguments names its kind. A handler set has a function for each kind:
//
//	type Album struct{ Photos int }
//
//	func (Album) Kind() string { return "album" }
//
//	photos := handlers.NewSet("photos", handlers.SetConfig{})
//	handlers.Handle(photos, func(ctx context.Context, t *handlers.Task[Album]) error {
//		_, err := t.EnqueueAll(ctx, itemsOf(t.Args))
//		return err
//	}, nil)
//	registry, err := handlers.NewRegistry(photos)
//
// A manager starts jobs and watches them. It needs a registry only to run workers, or to have the
// arguments of jobs checked before anything is written:
//
//	m, err := syncjob.Open(ctx, "redis://localhost:6379", syncjob.Config{Registry: registry})
//	run, err := m.Start(ctx, syncjob.Job{Name: "album/7", Set: "photos", Root: Album{Photos: 10}}, nil)
//	final, err := run.Wait(ctx)
//
// A worker, in the same process or in a thousand others, runs the tasks:
//
//	w, err := m.NewWorker(syncjob.WorkerConfig{Concurrency: 64})
//	err = w.Run(ctx) // until ctx ends, then it drains
//
// # What makes it exact
//
// Children that a task enqueues become visible in the atomic step that records its success. A task
// that is tried again does not enqueue them twice. Counts change in the same steps, so every read
// adds up:
//
//	total = pending + delayed + running + succeeded + failed + cancelled
//
// The same is true for counters that a handler set declares, such as bytes copied.
//
// A run is done when its last task has ended and nothing holds it open. Every call can be repeated
// after a lost reply without another effect, and the store layer repeats it for you. A worker that
// lost its lease can neither settle nor enqueue.
//
// Handlers run at least once: a process can die after the effect and before the report. Make
// effects repeatable, or use the run and the task's ID, which is unique in the run, as a key.
//
// # The states of a run
//
//	starting ──▶ running ──▶ finishing ──▶ succeeded, failed
//	    │           │
//	    │           └─ stop ──▶ stopping ──▶ stopped
//	    └─ pre-job hook: skipped, failed
//
// A run is starting until its pre-job hook has passed, and finishing until its post-job hook has
// completed. Runs of sets without these hooks pass these states. Paused is a flag beside the state.
//
// # A gate, a limit, or a periodic job
//
// A gate ([github.com/rollcall-go/rollcall/store/semaphore.Gate]) is for functions of your own: at
// most N processes run one at a time, and the others do without. Nothing is queued or tried again.
// A [github.com/rollcall-go/rollcall/syncjob/cron.Scheduler] calls such functions when they are
// due, by the clock of each process. Together they replace a crontab on every machine.
//
// A limit on a kind of task is for work that must be done, but not all at once. Tasks over the
// limit wait. They cost no attempt and no slot of a worker, and run when there is room.
//
// A periodic job ([github.com/rollcall-go/rollcall/syncjob.Schedule]) is for work that is due once
// for the whole cluster. Each due time starts at most one run, by the store's clock. Its run has
// tasks, retries, counts, hooks and a history.
//
// # Testing
//
// [github.com/rollcall-go/rollcall/handlers/handlerstest] runs one handler without a store.
// [github.com/rollcall-go/rollcall/syncjob/syncjobtest] runs a manager and workers in memory. Both
// work in a bubble of testing/synctest, where an hour of backoff takes no time.
package rollcall
