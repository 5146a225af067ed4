// Package rollcall documents a library that runs jobs on Redis: named units of
// work that fan out into many tasks, are worked off by any number of processes,
// and are done exactly when their last task is. It holds no code; import what
// you use:
//
//   - [github.com/rollcall-go/rollcall/syncjob]: Manager, Run and Worker, what most programs hold
//   - [github.com/rollcall-go/rollcall/handlers]: handler sets, typed handlers, attributes, hooks
//   - [github.com/rollcall-go/rollcall/enqueue]: items and options of tasks
//   - [github.com/rollcall-go/rollcall/store]: the contract of backends, records and errors;
//     [github.com/rollcall-go/rollcall/store/redisstore] and
//     [github.com/rollcall-go/rollcall/store/memstore] implement it
//
// # The tour
//
// A task's argument type names its kind, and a handler set maps kinds to functions:
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
// A manager starts jobs and watches them. It needs a registry only to run
// workers, or to have job arguments checked before anything is written:
//
//	m, err := syncjob.Open(ctx, "redis://localhost:6379", syncjob.Config{Registry: registry})
//	run, err := m.Start(ctx, syncjob.Job{Name: "album/7", Set: "photos", Root: Album{Photos: 10}}, nil)
//	final, err := run.Wait(ctx)
//
// A worker, in the same process or a thousand others, runs the tasks:
//
//	w, err := m.NewWorker(syncjob.WorkerConfig{Concurrency: 64})
//	err = w.Run(ctx) // until ctx ends, then drains
//
// # What makes it exact
//
// Children enqueued through a running task become visible in the same atomic
// step that records its success; a retried parent never duplicates them. Counts
// move in the same steps, so that one read always adds up:
//
//	total = pending + delayed + running + succeeded + failed + cancelled
//
// So do counters that a handler set declares (bytes copied, rows skipped): what a task adds is
// committed with its success.
//
// A run is done when its last task has ended and nothing holds it open. Every
// call may be repeated after a lost reply without a further effect, and the store layer
// repeats it for you. A worker that lost its lease can neither settle nor enqueue.
//
// Handlers run at least once: a process may die after the effect and before the report.
// Make effects repeatable, or key them by the run and the task's ID, which is unique within it.
//
// # The states of a run
//
//	starting ──▶ running ──▶ finishing ──▶ succeeded, failed
//	    │           │
//	    │           └─ stop ──▶ stopping ──▶ stopped
//	    └─ pre-job hook: skipped, failed
//
// Starting lasts until the pre-job hook has passed, finishing until the post-job
// hook has completed; runs of sets without these hooks pass them by. Paused is a
// flag beside the state.
//
// # A gate, a limit, or a periodic job
//
// A gate ([github.com/rollcall-go/rollcall/store/semaphore.Gate]) is for functions of your own, in processes of your
// own: at most N of them run at a time, and whoever is locked out lets it be. Nothing is queued or tried again. A
// [github.com/rollcall-go/rollcall/syncjob.Scheduler] calls such functions when they are due, by the clock of each
// process; together they are what a crontab on every machine should be.
//
// A limit on a kind of task is for work that must be done, only not all at once: tasks over the limit stay
// waiting, cost no attempt and no place in a worker, and run when there is room.
//
// A periodic job ([github.com/rollcall-go/rollcall/syncjob.Schedule]) is for work that must be due once for the whole cluster: each due
// time begins at most one run, by the store's clock, whatever the number of processes and whoever of them dies. Its
// run has tasks, retries, counts, hooks and a history, which a gated function has not.
//
// # Testing
//
// [github.com/rollcall-go/rollcall/handlers/handlerstest] runs one handler without a store,
// [github.com/rollcall-go/rollcall/syncjob/syncjobtest] a manager and worker on
// memory; both work in a bubble of testing/synctest, so that an hour of backoff takes no time.
package rollcall
