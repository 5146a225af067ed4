// Package rollcall documents a library that runs jobs on Redis. A job is a named unit of work that
// fans out into many tasks. Any number of processes run the tasks. The job is done when its last
// task is done. This package has no code. Import what you use:
//
//   - [github.com/rollcall-go/rollcall/syncjob]: Manager, Run and Worker: most programs use them
//   - [github.com/rollcall-go/rollcall/handlers]: handler sets, typed handlers, attributes, hooks
//   - [github.com/rollcall-go/rollcall/enqueue]: items and options of tasks
//   - [github.com/rollcall-go/rollcall/store]: the contract of stores, records and errors;
//     [github.com/rollcall-go/rollcall/store/redisstore] and
//     [github.com/rollcall-go/rollcall/store/memstore] implement it
//
// # The tour
//
// The type of a task's arguments names its kind. A handler set has a handler for each kind:
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
// A manager starts jobs and watches them. It needs a registry only to run workers, or to check the
// arguments of jobs before anything is written:
//
//	m, err := syncjob.Open(ctx, "redis://localhost:6379", syncjob.Config{Registry: registry})
//	run, err := m.Start(ctx, syncjob.Job{Name: "album/7", Set: "photos", Root: Album{Photos: 10}}, nil)
//	final, err := run.Wait(ctx)
//
// Workers run the tasks. They may be in the same process or in many others:
//
//	w, err := m.NewWorker(syncjob.WorkerConfig{Concurrency: 64})
//	err = w.Run(ctx) // until ctx ends; then it finishes running tasks
//
// # Why counts are exact
//
// When a task succeeds, its children become visible in the same atomic step. So a task that is
// tried again does not enqueue them twice. Counts change in the same step, so in every read they
// add up:
//
//	total = pending + delayed + running + succeeded + failed + cancelled
//
// The same is true for counters that a handler set declares, such as bytes copied.
//
// A run is done when its last task has ended and no hold is open. If the reply of a call is lost,
// the call is repeated for you, without a second effect. A worker that lost its lease can neither
// settle nor enqueue.
//
// Handlers run at least once: a process can die after the effect and before the report. Make
// effects repeatable, or use the ID of the run and the ID of the task as a key.
//
// # The states of a run
//
//	starting ──▶ running ──▶ finishing ──▶ succeeded, failed
//	    │           │
//	    │           └─ stop ──▶ stopping ──▶ stopped
//	    └─ pre-job hook: skipped, failed
//
// A run is starting until its pre-job hook has passed, and finishing until its post-job hook has
// completed. Without these hooks a run leaves these states at once. Paused is a flag, not a state.
//
// # A gate, a limit, or a periodic job
//
// A gate ([github.com/rollcall-go/rollcall/store/semaphore.Gate]) is for functions of your own: at
// most N processes run the function at the same time, and the others skip it. Nothing is queued or
// tried again. A [github.com/rollcall-go/rollcall/syncjob/cron.Scheduler] calls such functions when
// they are due, by the clock of each process. Together they can replace a crontab on every machine.
//
// A limit on a kind of task is for work that must be done, but not all at once. Tasks over the
// limit wait. Waiting is not counted as an attempt and uses no slot of a worker.
//
// A periodic job ([github.com/rollcall-go/rollcall/syncjob.Schedule]) is for work that is due once
// for the whole cluster. Each due time starts at most one run, by the store's clock. Its run has
// tasks, retries, counts, hooks and a history.
//
// # Testing
//
// [github.com/rollcall-go/rollcall/handlers/handlerstest] runs one handler without a store.
// [github.com/rollcall-go/rollcall/syncjob/syncjobtest] runs a manager and workers in memory. Both
// work in a bubble of testing/synctest, where an hour of backoff passes at once.
package rollcall
