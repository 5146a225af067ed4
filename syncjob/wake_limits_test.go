package syncjob_test

import (
	"time"

	"github.com/stretchr/testify/require"

	"github.com/rollcall-go/rollcall/handlers"
	"github.com/rollcall-go/rollcall/store"
	"github.com/rollcall-go/rollcall/syncjob"
)

// one lets one leaf run at a time, of all or of each job, or start in an hour.
var (
	oneRunning = handlers.Attributes{MaxRunning: 1}
	onePerJob  = handlers.Attributes{MaxRunningPerJob: 1}
	oneAnHour  = handlers.Attributes{Rate: handlers.Rate{Events: 1, Per: time.Hour}}
)

func ofSet(a handlers.Attributes) handlers.SetConfig { return handlers.SetConfig{Attributes: a} }

// limitTransitions are those by which a limit lets something go.
var limitTransitions = []transition{
	{name: "a permit is free again", leaves: oneRunning, run: func(w *sleepers) {
		w.crowd()
		w.release()
		w.starts("leaf 0")
	}},
	{name: "a permit of a set is free again", set: ofSet(oneRunning), run: func(w *sleepers) {
		w.crowd()
		w.release()
		w.starts("leaf 0")
	}},
	{name: "a permit is free again and another partition waits", leaves: oneRunning, run: func(w *sleepers) {
		w.start("a", leaf{blocks})
		w.starts("leaf 1")
		w.start("c", leaf{passes})
		w.quiet()
		w.release()
		w.starts("leaf 0")
	}},
	{name: "a permit is free again and another worker waits", leaves: oneRunning, run: func(w *sleepers) {
		w.work("elsewhere")
		run := w.start("a", nil)
		w.enqueue(run, leaf{blocks}, nil)
		w.starts("leaf 1")
		w.enqueue(run, leaf{passes}, elsewhere)
		w.quiet()
		w.release()
		w.starts("leaf 0")
	}},
	{name: "a worker with a permit drains", leaves: oneRunning, run: func(w *sleepers) {
		stop := w.work("elsewhere")
		run := w.start("a", nil)
		w.enqueue(run, leaf{blocks}, elsewhere)
		w.starts("leaf 1")
		w.must(w.caller.SetMode(w.t.Context(), syncjob.ModeReadWrite))
		w.enqueue(run, leaf{passes}, nil)
		w.quiet()
		w.must(stop())
		w.starts("leaf 0")
	}},
	{name: "a limit is raised", leaves: oneRunning, run: func(w *sleepers) {
		w.crowd()
		w.configure(func(c *syncjob.Configuration) { c.Kind("leaf").MaxRunning = 2 })
		w.starts("leaf 0")
	}},
	{name: "a limit is lifted", leaves: oneRunning, run: func(w *sleepers) {
		w.crowd()
		w.configure(func(c *syncjob.Configuration) { c.Kind("leaf").MaxRunning = handlers.NoLimit })
		w.starts("leaf 0")
	}},
	{name: "a limit of a set is lifted", set: ofSet(oneRunning), run: func(w *sleepers) {
		w.crowd()
		w.configure(func(c *syncjob.Configuration) { c.Set.MaxRunning = handlers.NoLimit })
		w.starts("leaf 0")
	}},
	{name: "a configured limit is reset", alone: true, run: func(w *sleepers) {
		_, err := w.m.Configure(w.t.Context(), "tree", nil, func(c *syncjob.Configuration) error {
			c.Kind("leaf").MaxRunning = 1
			return nil
		})
		w.must(err)
		w.work("default") // it reads that before it begins
		w.crowd()
		w.must(w.caller.ResetConfiguration(w.t.Context(), "tree", nil))
		w.starts("leaf 0")
	}},
	{name: "a place of a job is free again", leaves: onePerJob, run: func(w *sleepers) {
		w.crowd()
		w.release()
		w.starts("leaf 0")
	}},
	{name: "a place of a job in a set is free again and another kind and worker wait", set: ofSet(onePerJob), run: func(w *sleepers) {
		w.work("elsewhere")
		run := w.start("a", nil)
		w.enqueue(run, leaf{blocks}, nil)
		w.starts("leaf 1")
		w.enqueue(run, fan{}, elsewhere)
		w.quiet()
		w.release()
		w.starts("fan")
	}},
	{name: "a task at the limit of its job is due later", leaves: onePerJob, run: func(w *sleepers) {
		run := w.start("a", nil)
		w.enqueue(run, leaf{snoozes}, nil)
		w.starts("leaf 4", "leaf 4")
		w.rest()
		w.enqueue(run, leaf{passes}, nil)
		w.starts("leaf 0")
	}},
	{name: "a job at its limit is resumed after its place is free again", leaves: onePerJob, run: func(w *sleepers) {
		run := w.crowd()
		w.must(run.Pause(w.t.Context()))
		w.release()
		w.quiet()
		w.must(run.Resume(w.t.Context()))
		w.starts("leaf 0")
	}},
	{name: "a limit of each job is raised", leaves: onePerJob, run: func(w *sleepers) {
		w.crowd()
		w.configure(func(c *syncjob.Configuration) { c.Kind("leaf").MaxRunningPerJob = 2 })
		w.starts("leaf 0")
	}},
	{name: "a limit of each job is lifted", leaves: onePerJob, run: func(w *sleepers) {
		w.crowd()
		w.configure(func(c *syncjob.Configuration) { c.Kind("leaf").MaxRunningPerJob = handlers.NoLimit })
		w.starts("leaf 0")
	}},
	{name: "a limit of each job in a set is lifted", set: ofSet(onePerJob), run: func(w *sleepers) {
		w.crowd()
		w.configure(func(c *syncjob.Configuration) { c.Set.MaxRunningPerJob = handlers.NoLimit })
		w.starts("leaf 0")
	}},
	{name: "a worker without the limit of each job appears", alone: true, run: func(w *sleepers) {
		m := managerOn(w.t, w.store, w.registry)
		run, err := m.Start(w.t.Context(), syncjob.Job{Name: "a", Set: "tree", Open: true}, nil)
		w.must(err)
		w.enqueue(run, leaf{blocks}, nil)
		w.enqueue(run, leaf{passes}, nil)
		require.Len(w.t, w.lease("default", 2, perJob...), 1)
		w.work("default")
		w.starts("leaf 0")
	}},
	{name: "a dead session held the place of a job", leaves: onePerJob, run: func(w *sleepers) {
		w.hold(1, perJob...)
		run, err := w.caller.Latest(w.t.Context(), "a")
		w.must(err)
		w.enqueue(run, leaf{passes}, elsewhere)
		w.quiet()
		w.must(w.store.CloseSession(w.t.Context(), dead))
		w.starts("leaf 1")
		w.release()
		w.starts("leaf 0")
	}},
	{name: "a rate grows", leaves: oneAnHour, run: func(w *sleepers) {
		w.start("a", leaf{passes})
		w.starts("leaf 0")
		w.start("c", leaf{passes})
		w.quiet()
		w.configure(func(c *syncjob.Configuration) { c.Kind("leaf").Rate = handlers.Rate{Events: 100} })
		w.starts("leaf 0")
	}},
	{name: "a rate is lifted", leaves: oneAnHour, run: func(w *sleepers) {
		w.start("a", leaf{passes})
		w.starts("leaf 0")
		w.start("c", leaf{passes})
		w.quiet()
		w.configure(func(c *syncjob.Configuration) { c.Kind("leaf").Rate = handlers.Rate{Events: handlers.NoLimit} })
		w.starts("leaf 0")
	}},
	{name: "the next token comes", leaves: handlers.Attributes{Rate: handlers.Rate{Events: 2, Burst: 1}}, run: func(w *sleepers) {
		w.start("a", leaf{passes})
		w.start("c", leaf{passes})
		w.starts("leaf 0", "leaf 0")
	}},
}

// crowd begins a run of which one leaf runs and another waits.
func (w *sleepers) crowd() *syncjob.Run {
	w.t.Helper()
	run := w.start("a", nil)
	w.enqueue(run, leaf{blocks}, nil)
	w.starts("leaf 1")
	w.enqueue(run, leaf{passes}, nil)
	w.quiet()
	return run
}

// perJob is the limit of the worker's leaves, as a fetch names it.
var perJob = []store.RunLimit{{Scope: store.Scope{Set: "tree", Kinds: []string{"leaf"}}, Max: 1}}
