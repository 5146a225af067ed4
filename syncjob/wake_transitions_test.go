package syncjob_test

import (
	"fmt"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/rollcall-go/rollcall/enqueue"
	"github.com/rollcall-go/rollcall/handlers"
	"github.com/rollcall-go/rollcall/store"
	"github.com/rollcall-go/rollcall/store/verdicts"
	"github.com/rollcall-go/rollcall/syncjob"
	"github.com/rollcall-go/rollcall/syncjob/schedule"
	"github.com/rollcall-go/rollcall/syncjob/states"
)

// transition is one way in which something becomes runnable while every worker sleeps.
type transition struct {
	name   string
	set    handlers.SetConfig
	leaves handlers.Attributes
	hooked bool
	alone  bool // no worker yet
	run    func(w *sleepers)
}

// soon is within what a periodic job is due that tests wait for.
const soon = 50 * time.Millisecond

var elsewhere = &enqueue.Options{Queue: "elsewhere"}

var transitions = []transition{
	{name: "a run starts", run: func(w *sleepers) {
		w.start("a", leaf{passes})
		w.starts("leaf 0")
	}},
	{name: "runs start in every partition", run: func(w *sleepers) {
		for i := range 4 * wakePartitions {
			w.start(fmt.Sprint("job ", i), leaf{passes})
			w.starts("leaf 0")
		}
	}},
	{name: "a run with hooks starts", hooked: true, run: func(w *sleepers) {
		w.start("a", leaf{passes})
		w.starts("pre", "leaf 0", "post")
	}},
	{name: "a run with a delayed root passes its hook", hooked: true, run: func(w *sleepers) {
		_, err := w.caller.Start(w.t.Context(), syncjob.Job{
			Name: "a", Set: "tree", Root: leaf{passes}, RootOptions: &enqueue.Options{Delay: 100 * time.Millisecond},
		}, nil)
		w.must(err)
		w.starts("pre", "leaf 0", "post")
	}},
	{name: "the first task of an open run", run: func(w *sleepers) {
		run := w.start("a", nil)
		w.rest()
		w.enqueue(run, leaf{passes}, nil)
		w.starts("leaf 0")
	}},
	{name: "the hook of an open run passes", hooked: true, run: func(w *sleepers) {
		w.letHook = make(chan struct{})
		run := w.start("a", nil)
		w.starts("pre")
		w.enqueue(run, leaf{passes}, nil)
		w.quiet()
		close(w.letHook)
		w.starts("leaf 0")
	}},
	{name: "a hook passes and tasks wait in several lanes", hooked: true, run: func(w *sleepers) {
		w.work("elsewhere")
		w.letHook = make(chan struct{})
		run := w.start("a", nil)
		w.starts("pre")
		w.enqueue(run, leaf{passes}, nil)
		w.enqueue(run, fan{}, elsewhere)
		w.quiet()
		close(w.letHook)
		w.startBoth("leaf 0", "fan")
	}},
	{name: "a delayed task is due before its hook passes", hooked: true, run: func(w *sleepers) {
		w.letHook = make(chan struct{})
		run := w.start("a", nil)
		w.starts("pre")
		w.enqueue(run, leaf{passes}, &enqueue.Options{Delay: 20 * time.Millisecond})
		w.until(func() bool {
			state, err := run.State(w.t.Context())
			return err == nil && state.Counts.Delayed == 0
		}, "the task is never due")
		w.quiet()
		close(w.letHook)
		w.starts("leaf 0")
	}},
	{name: "an active job takes a task by name", run: func(w *sleepers) {
		w.start("a", nil)
		w.rest()
		_, err := w.caller.Enqueue(w.t.Context(), "a", leaf{passes}, nil)
		w.must(err)
		w.starts("leaf 0")
	}},
	{name: "a sequence of tasks", run: func(w *sleepers) {
		run := w.start("a", nil)
		w.rest()
		_, err := run.EnqueueAll(w.t.Context(), leaves(1), nil)
		w.must(err)
		w.starts("leaf 0")
	}},
	{name: "a task in the queue of another worker", run: func(w *sleepers) {
		w.work("elsewhere")
		run := w.start("a", nil)
		w.rest()
		w.enqueue(run, leaf{passes}, elsewhere)
		w.starts("leaf 0")
	}},
	{name: "a run is sealed", hooked: true, run: func(w *sleepers) {
		run := w.start("a", nil)
		w.starts("pre")
		w.rest()
		w.must(run.Seal(w.t.Context()))
		w.starts("post")
	}},
	{name: "the last hold is released", hooked: true, run: func(w *sleepers) {
		run := w.start("a", nil)
		w.starts("pre")
		p := store.PartitionOf("a", wakePartitions)
		w.must(w.store.OpenProducer(w.t.Context(), p, "holder"))
		_, err := w.store.Enqueue(w.t.Context(), store.EnqueueParams{
			Partition: p, Stream: "holder", Number: 1,
			Holds: []store.HoldChange{{Run: store.RunID{Job: "a", Number: run.Number()}, Name: "mine"}},
		})
		w.must(err)
		w.must(run.Seal(w.t.Context()))
		w.quiet()
		w.must(run.ReleaseHold(w.t.Context(), "mine"))
		w.starts("post")
	}},
	{name: "a run is resumed", run: func(w *sleepers) {
		run := w.start("a", nil)
		w.must(run.Pause(w.t.Context()))
		w.enqueue(run, leaf{passes}, nil)
		w.quiet()
		w.must(run.Resume(w.t.Context()))
		w.starts("leaf 0")
	}},
	{name: "a run that was paused before its hook is resumed", hooked: true, run: func(w *sleepers) {
		w.letHook = make(chan struct{})
		run := w.start("a", nil)
		w.starts("pre")
		w.enqueue(run, leaf{passes}, nil)
		w.rest()
		w.must(run.Pause(w.t.Context()))
		close(w.letHook)
		w.quiet()
		w.must(run.Resume(w.t.Context()))
		w.starts("leaf 0")
	}},
	{name: "a delayed task is due", run: func(w *sleepers) {
		run := w.start("a", nil)
		w.rest()
		w.enqueue(run, leaf{passes}, &enqueue.Options{Delay: 50 * time.Millisecond})
		w.starts("leaf 0")
	}},
	{name: "a sooner task is due", run: func(w *sleepers) {
		run := w.start("a", nil)
		w.enqueue(run, leaf{blocks}, &enqueue.Options{Delay: late})
		w.rest()
		w.enqueue(run, leaf{passes}, &enqueue.Options{Delay: 50 * time.Millisecond})
		w.starts("leaf 0")
	}},
	{name: "a task retries", run: func(w *sleepers) {
		w.start("a", leaf{retries})
		w.starts("leaf 3", "leaf 3")
	}},
	{name: "a task is snoozed", run: func(w *sleepers) {
		w.start("a", leaf{snoozes})
		w.starts("leaf 4", "leaf 4")
	}},
	{name: "a parent has children for another worker", run: func(w *sleepers) {
		w.work("elsewhere")
		w.start("a", fan{N: 2, Options: *elsewhere})
		w.starts("fan", "leaf 0", "leaf 0")
	}},
	{name: "a parent has staged children", run: func(w *sleepers) {
		w.start("a", fan{N: 300})
		w.starts("fan", "leaf 0")
	}},
	{name: "a parent has staged children for another worker", run: func(w *sleepers) {
		w.work("elsewhere")
		w.start("a", fan{N: 300, Options: *elsewhere})
		w.starts("fan", "leaf 0")
	}},
	{name: "staged children have chosen IDs", run: func(w *sleepers) {
		w.work("elsewhere")
		w.start("a", fan{N: 300, Options: *elsewhere, Claimed: true})
		w.starts("fan", "leaf 0")
	}},
	{name: "staged children have a delay", run: func(w *sleepers) {
		w.work("elsewhere")
		w.start("a", fan{N: 300, Options: enqueue.Options{Queue: "elsewhere", Delay: 100 * time.Millisecond}})
		w.starts("fan", "leaf 0")
	}},
	{name: "the last task ends", hooked: true, run: func(w *sleepers) {
		w.start("a", leaf{blocks})
		w.starts("pre", "leaf 1")
		w.rest()
		w.release()
		w.starts("post")
	}},
	{name: "the last task fails", hooked: true, run: func(w *sleepers) {
		w.start("a", leaf{breaks})
		w.starts("pre", "leaf 2", "post")
	}},
	{name: "failed tasks are redriven", run: func(w *sleepers) {
		run := w.start("a", leaf{breaks})
		w.starts("leaf 2")
		_, err := run.Wait(w.t.Context())
		w.must(err)
		w.rest()
		_, err = run.Redrive(w.t.Context(), nil)
		w.must(err)
		w.starts("leaf 2")
	}},
	{name: "failed tasks of a set with hooks are redriven", hooked: true, run: func(w *sleepers) {
		run := w.start("a", leaf{breaks})
		w.starts("pre", "leaf 2", "post")
		_, err := run.Wait(w.t.Context())
		w.must(err)
		w.letHook = make(chan struct{})
		w.rest()
		_, err = run.Redrive(w.t.Context(), nil)
		w.must(err)
		w.starts("pre")
		w.quiet()
		close(w.letHook)
		w.starts("leaf 2", "post")
	}},
	{name: "a run replaces another", run: func(w *sleepers) {
		w.start("a", leaf{blocks})
		w.starts("leaf 1")
		w.rest()
		_, err := w.caller.Start(w.t.Context(), syncjob.Job{Name: "a", Set: "tree", Root: leaf{passes}},
			&syncjob.StartOptions{IfActive: syncjob.IfActiveReplace})
		w.must(err)
		w.starts("leaf 0")
	}},
	{name: "a standing job is declared", hooked: true, run: func(w *sleepers) {
		w.ensure(syncjob.Job{Name: "a", Open: true})
		w.starts("pre")
	}},
	{name: "a standing job is enabled", hooked: true, run: func(w *sleepers) {
		w.ensure(syncjob.Job{Name: "a", Open: true})
		w.starts("pre")
		w.must(w.caller.Stop(w.t.Context(), "a", nil))
		w.rest()
		w.must(w.caller.Enable(w.t.Context(), "a"))
		w.starts("pre")
	}},
	{name: "a periodic job is due at once", run: func(w *sleepers) {
		w.schedule(schedule.Schedule{Every: late, FireOnCreate: true}, passes)
		w.starts("leaf 0")
	}},
	{name: "a periodic job is due", run: func(w *sleepers) {
		w.schedule(schedule.Schedule{Every: soon}, passes)
		w.starts("leaf 0")
	}},
	{name: "the schedule of a periodic job changes", run: func(w *sleepers) {
		w.schedule(schedule.Schedule{Every: late}, passes)
		w.rest()
		w.schedule(schedule.Schedule{Every: soon}, passes)
		w.starts("leaf 0")
	}},
	{name: "a periodic job is enabled", run: func(w *sleepers) {
		w.schedule(schedule.Schedule{Every: late}, passes)
		w.must(w.caller.Stop(w.t.Context(), "p", nil))
		w.schedule(schedule.Schedule{Every: soon}, passes)
		w.quiet()
		w.must(w.caller.Enable(w.t.Context(), "p"))
		w.starts("leaf 0")
	}},
	{name: "a periodic job is triggered", run: func(w *sleepers) {
		w.schedule(schedule.Schedule{Every: late}, passes)
		w.rest()
		_, err := w.caller.TriggerNow(w.t.Context(), "p")
		w.must(err)
		w.starts("leaf 0")
	}},
	{name: "a queued run follows the one before", run: func(w *sleepers) {
		w.schedule(schedule.Schedule{Every: soon, Overlap: schedule.OverlapQueueOne, FireOnCreate: true}, blocks)
		w.starts("leaf 1")
		w.until(w.workers[0].WaitsForARun, "the job is never due")
		w.quiet()
		w.release()
		w.starts("leaf 1")
	}},
	{name: "a run replaces the one before", run: func(w *sleepers) {
		w.schedule(schedule.Schedule{Every: soon, Overlap: schedule.OverlapReplace, FireOnCreate: true}, blocks)
		w.starts("leaf 1")
		w.starts("leaf 1")
	}},
	{name: "read-only mode ends", run: func(w *sleepers) {
		w.must(w.caller.SetMode(w.t.Context(), syncjob.ModeReadOnly))
		w.start("a", leaf{passes})
		w.quiet()
		w.must(w.caller.SetMode(w.t.Context(), syncjob.ModeReadWrite))
		w.starts("leaf 0")
	}},
	{name: "read-only mode ends and a periodic job is due", run: func(w *sleepers) {
		w.must(w.caller.SetMode(w.t.Context(), syncjob.ModeReadOnly))
		w.schedule(schedule.Schedule{Every: late, FireOnCreate: true}, passes)
		w.quiet()
		w.must(w.caller.SetMode(w.t.Context(), syncjob.ModeReadWrite))
		w.starts("leaf 0")
	}},
	{name: "what was paused is resumed", run: func(w *sleepers) {
		for _, scope := range []syncjob.Scope{{Queue: "default"}, {Set: "tree"}, {Kind: "leaf"}} {
			w.must(w.caller.Pause(w.t.Context(), scope, ""))
			w.start(scope.String(), leaf{passes})
			w.quiet()
			w.must(w.caller.Resume(w.t.Context(), scope))
			w.starts("leaf 0")
		}
	}},
	{name: "a worker appears", alone: true, run: func(w *sleepers) {
		_, err := managerOn(w.t, w.store, w.registry).Start(w.t.Context(), syncjob.Job{Name: "a", Set: "tree", Root: leaf{passes}}, nil)
		w.must(err)
		w.work("default")
		w.starts("leaf 0")
	}},
	{name: "a worker gives back what it holds", run: func(w *sleepers) {
		_, err := w.caller.Start(w.t.Context(), syncjob.Job{Name: "a", Set: "tree", Root: leaf{passes}, RootOptions: elsewhere}, nil)
		w.must(err)
		held := w.lease("elsewhere", 1)
		require.Len(w.t, held, 1)
		w.work("elsewhere")
		w.quiet()
		_, err = w.store.Settle(w.t.Context(), store.SettleParams{
			Session: dead, Number: 1, Outcomes: []store.Outcome{{Lease: held[0].Lease, Verdict: verdicts.Release, Task: held[0].Task}},
		})
		w.must(err)
		w.starts("leaf 0")
	}},
	{name: "a dead session is closed", run: func(w *sleepers) {
		w.hold(2)
		w.quiet()
		w.must(w.store.CloseSession(w.t.Context(), dead))
		// Recovered tasks run one at a time.
		w.starts("leaf 1")
		w.quiet()
		w.release()
		w.starts("leaf 1")
	}},
	{name: "an open run is sealed for being idle", hooked: true, run: func(w *sleepers) {
		run := w.open("a", syncjob.Job{SealAfter: soon})
		w.starts("pre", "post")
		w.ends(run, states.Succeeded)
	}},
	{name: "an open run is sealed before one that is open for longer", hooked: true, run: func(w *sleepers) {
		w.open("b", syncjob.Job{SealAfter: late})
		w.starts("pre")
		w.rest()
		w.open("a", syncjob.Job{SealAfter: soon})
		w.starts("pre", "post")
	}},
	{name: "an open run is stopped for being idle", run: func(w *sleepers) {
		run := w.open("a", syncjob.Job{Root: leaf{blocks}, StopAfter: soon})
		w.ends(run, states.Stopped)
	}},
	{name: "a run reaches its deadline", run: func(w *sleepers) {
		run := w.open("a", syncjob.Job{Root: leaf{blocks}, Deadline: soon})
		w.ends(run, states.Stopped)
	}},
	{name: "a worker drains", run: func(w *sleepers) {
		stop := w.work("elsewhere")
		run := w.start("a", nil)
		w.rest()
		for range 4 {
			w.enqueue(run, leaf{blocks}, elsewhere)
		}
		w.starts("leaf 1", "leaf 1", "leaf 1", "leaf 1")
		w.work("elsewhere")
		w.quiet()
		w.must(stop())
		w.starts("leaf 1", "leaf 1", "leaf 1", "leaf 1")
	}},
}
