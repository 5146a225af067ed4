package syncjob_test

import (
	"context"
	"errors"
	"maps"
	"reflect"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/rollcall-go/rollcall/enqueue"
	"github.com/rollcall-go/rollcall/handlers"
	"github.com/rollcall-go/rollcall/store/actions"
	"github.com/rollcall-go/rollcall/store/memstore"
	"github.com/rollcall-go/rollcall/store/semaphore"
	"github.com/rollcall-go/rollcall/syncjob"
	"github.com/rollcall-go/rollcall/syncjob/schedule"
	"github.com/rollcall-go/rollcall/syncjob/states"
)

// operated are the types whose methods operators call.
var operated = []any{
	(*syncjob.Manager)(nil),
	(*syncjob.Run)(nil),
	(*syncjob.TaskRef)(nil),
	(*syncjob.WorkerRef)(nil),
	(*semaphore.Semaphores)(nil),
}

// readings change nothing that is stored.
var readings = map[string][]string{
	"Manager": {
		"Activity", "Audit", "Close", "Configuration", "Enqueuer", "FailureGroups", "Failures", "History", "JobRuns", "Jobs", "Latest",
		"Limits", "ListValues", "Listen",
		"LostWorkers", "Mode", "NewWorker", "NextRuns", "Pauses", "Ping", "Queues", "Registry", "Roster", "Run",
		"Runs", "Semaphores", "Sets", "State", "Store", "Values", "Watch", "Worker", "Workers", "Writable",
	},
	"Run": {
		"Existing", "Explain", "Failures", "ID", "Job", "Number", "Results", "State", "Task", "Tasks", "Timeline",
		"Values", "Wait", "Watch",
	},
	"TaskRef":    {"Failure", "ID", "Result", "Run", "Running", "State", "Wait"},
	"WorkerRef":  {"Name", "States"},
	"Semaphores": {"Count", "Holders", "Waiters"},
}

// unaudited change something, and leave no entry: why not.
var unaudited = map[string]string{
	"Manager.Repair":           "there is nothing to fix in memory: see TestTheAuditTellsOfARepair",
	"Run.Repair":               "likewise",
	"Semaphores.Acquire":       "it is work, not an operation on work",
	"Semaphores.AcquireAll":    "likewise",
	"Semaphores.TryAcquire":    "likewise",
	"Semaphores.TryAcquireAll": "likewise",
}

// operation is a call on a ward, and the entries that it must leave, as "action job subject".
type operation struct {
	call func(ctx context.Context, w *ward) error
	want []string
}

func onManager[R any](call func(m *syncjob.Manager, ctx context.Context) (R, error), want ...string) operation {
	return operation{func(ctx context.Context, w *ward) error { _, err := call(w.m, ctx); return err }, want}
}

func onJob(job string, call func(r *syncjob.Run, ctx context.Context) error, want ...string) operation {
	return operation{func(ctx context.Context, w *ward) error {
		run, err := w.m.Latest(ctx, job)
		if err != nil {
			return err
		}
		return call(run, ctx)
	}, want}
}

func onMany(call func(*syncjob.Manager, context.Context, *syncjob.BulkOptions) (states.BulkResult, error), want ...string) operation {
	return operation{func(ctx context.Context, w *ward) error {
		_, err := call(w.m, ctx, &syncjob.BulkOptions{All: true})
		return err
	}, want}
}

func onTask(id string, call func(t *syncjob.TaskRef, ctx context.Context) error, want ...string) operation {
	return onJob("paused", func(r *syncjob.Run, ctx context.Context) error { return call(r.Task(id), ctx) }, want...)
}

// operations are all that leave an entry.
var operations = map[string]operation{
	"Manager.Configure":  {func(ctx context.Context, w *ward) error { return configureRetries(ctx, w.m, 7) }, []string{"configure tree"}},
	"Manager.Delete":     {func(ctx context.Context, w *ward) error { return w.m.Delete(ctx, "ended") }, []string{"delete ended"}},
	"Manager.DiscardAll": onMany((*syncjob.Manager).DiscardAll, "discard failing", "discard held"),
	"Manager.Enable": {
		func(ctx context.Context, w *ward) error { return w.m.Enable(ctx, "off") },
		[]string{"enable off", "start off"},
	},
	"Manager.EnableAll": onMany((*syncjob.Manager).EnableAll, "enable off", "start off"),
	"Manager.Enqueue": onManager(func(m *syncjob.Manager, ctx context.Context) (enqueue.Receipt, error) {
		return m.Enqueue(ctx, "failing", leaf{}, &enqueue.Options{ID: "new"})
	}, "enqueue failing new"),
	"Manager.EnqueueAll": onManager(func(m *syncjob.Manager, ctx context.Context) (enqueue.Summary, error) {
		return m.EnqueueAll(ctx, "failing", named("new"), nil)
	}, "enqueue failing new"),
	"Manager.Ensure": onManager(func(m *syncjob.Manager, ctx context.Context) (syncjob.EnsureResult, error) {
		return m.Ensure(ctx, syncjob.Job{Name: "new", Set: "tree", Open: true})
	}, "declare new", "start new"),
	"Manager.Pause": {func(ctx context.Context, w *ward) error {
		return w.m.Pause(ctx, syncjob.Scope{Queue: "q"}, "")
	}, []string{"pause queue q"}},
	"Manager.PauseAll": onMany((*syncjob.Manager).PauseAll, "pause failing", "pause held", "pause hook"),
	"Manager.PauseJob": {func(ctx context.Context, w *ward) error { return w.m.PauseJob(ctx, "failing") }, []string{"pause failing"}},
	"Manager.ReleaseSemaphores": {func(ctx context.Context, w *ward) error {
		_, err := w.m.ReleaseSemaphores(ctx, "lock", "", nil)
		return err
	}, []string{"end lock"}},
	"Manager.ResetConfiguration": {func(ctx context.Context, w *ward) error {
		return w.m.ResetConfiguration(ctx, "tree", nil)
	}, []string{"configure tree"}},
	"Manager.Resume": {func(ctx context.Context, w *ward) error {
		return w.m.Resume(ctx, syncjob.Scope{Queue: "busy"})
	}, []string{"resume queue busy"}},
	"Manager.ResumeAll": onMany((*syncjob.Manager).ResumeAll, "resume paused"),
	"Manager.ResumeJob": {func(ctx context.Context, w *ward) error { return w.m.ResumeJob(ctx, "paused") }, []string{"resume paused"}},
	"Manager.RetryAll":  onMany((*syncjob.Manager).RetryAll, "retry failing", "retry held"),
	"Manager.SetMode": {func(ctx context.Context, w *ward) error {
		return w.m.SetMode(ctx, syncjob.ModeReadOnly)
	}, []string{"pause everything"}},
	"Manager.Start": onManager(func(m *syncjob.Manager, ctx context.Context) (*syncjob.Run, error) {
		return m.Start(ctx, syncjob.Job{Name: "new", Set: "tree", Open: true}, nil)
	}, "start new"),
	"Manager.Stop": {func(ctx context.Context, w *ward) error { return w.m.Stop(ctx, "failing", nil) }, []string{"stop failing"}},
	"Manager.StopAll": onMany((*syncjob.Manager).StopAll,
		"disable periodic", "stop failing", "stop held", "stop hook", "stop paused"),
	"Manager.TriggerNow": onManager(func(m *syncjob.Manager, ctx context.Context) (*syncjob.Run, error) {
		return m.TriggerNow(ctx, "periodic")
	}, "start periodic"),

	"Run.Accept": onJob("held", (*syncjob.Run).Accept, "accept held"),
	"Run.Delete": onJob("ended", (*syncjob.Run).Delete, "delete ended"),
	"Run.Discard": onJob("failing", func(r *syncjob.Run, ctx context.Context) error {
		_, err := r.Discard(ctx, nil)
		return err
	}, "discard failing"),
	"Run.Enqueue": onJob("failing", func(r *syncjob.Run, ctx context.Context) error {
		_, err := r.Enqueue(ctx, leaf{}, &enqueue.Options{ID: "new"})
		return err
	}, "enqueue failing new"),
	"Run.EnqueueAll": onJob("failing", func(r *syncjob.Run, ctx context.Context) error {
		_, err := r.EnqueueAll(ctx, named("new"), nil)
		return err
	}, "enqueue failing new"),
	"Run.Pause": onJob("failing", (*syncjob.Run).Pause, "pause failing"),
	"Run.Redrive": onJob("ended", func(r *syncjob.Run, ctx context.Context) error {
		_, err := r.Redrive(ctx, nil)
		return err
	}, "start ended again"),
	"Run.ReleaseHold": onJob("failing", func(r *syncjob.Run, ctx context.Context) error {
		return r.ReleaseHold(ctx, "open")
	}, "release failing open"),
	"Run.RepeatPostJob": onJob("hook", (*syncjob.Run).RepeatPostJob, "repeat hook"),
	"Run.Resume":        onJob("paused", (*syncjob.Run).Resume, "resume paused"),
	"Run.Retry": onJob("failing", func(r *syncjob.Run, ctx context.Context) error {
		_, err := r.Retry(ctx, nil)
		return err
	}, "retry failing"),
	"Run.Seal": onJob("failing", (*syncjob.Run).Seal, "release failing open"),
	"Run.Stop": onJob("failing", func(r *syncjob.Run, ctx context.Context) error { return r.Stop(ctx, nil) }, "stop failing"),

	"TaskRef.Cancel": onTask("waits", func(t *syncjob.TaskRef, ctx context.Context) error {
		_, err := t.Cancel(ctx)
		return err
	}, "cancel paused waits"),
	"TaskRef.RunNow": onTask("later", (*syncjob.TaskRef).RunNow, "reschedule paused later"),
	"TaskRef.Reschedule": onTask("later", func(t *syncjob.TaskRef, ctx context.Context) error {
		return t.Reschedule(ctx, time.Now().Add(time.Hour))
	}, "reschedule paused later"),

	"WorkerRef.Quiet":  {func(ctx context.Context, w *ward) error { return w.m.Worker("w1").Quiet(ctx) }, []string{"quiet worker w1"}},
	"WorkerRef.Drain":  {func(ctx context.Context, w *ward) error { return w.m.Worker("w1").Drain(ctx) }, []string{"drain worker w1"}},
	"WorkerRef.Resume": {func(ctx context.Context, w *ward) error { return w.m.Worker("w2").Resume(ctx) }, []string{"resume worker w2"}},

	"Semaphores.ForceRelease": {func(ctx context.Context, w *ward) error {
		_, err := semaphore.New(w.m.Store()).ForceRelease(ctx, "lock", w.fence)
		return err
	}, []string{"end lock"}},
	"Semaphores.ForceReleaseAll": {func(ctx context.Context, w *ward) error {
		_, err := semaphore.New(w.m.Store()).ForceReleaseAll(ctx, "lock")
		return err
	}, []string{"end lock"}},
}

func named(id string) func(func(enqueue.Item, error) bool) {
	return func(yield func(enqueue.Item, error) bool) { yield(enqueue.Task(leaf{}, &enqueue.Options{ID: id}), nil) }
}

// ward has one of everything that an operator may act on.
type ward struct {
	m     *syncjob.Manager
	fence int64 // of the semaphore "lock"
}

func newWard(t *testing.T) *ward {
	cfg := handlers.SetConfig{Attributes: handlers.Attributes{MaxRetries: handlers.NoRetries}}
	cfg.Hooks.PostJob = func(_ context.Context, r *handlers.Run) error {
		if r.Job == "hook" {
			return handlers.Permanent(errCut)
		}
		return nil
	}
	m := managerOn(
		t,
		memstore.New(&memstore.Options{Partitions: 2}),
		set(t, cfg, func(_ context.Context, task *handlers.Task[leaf]) error {
			if task.Args.I < 0 {
				return errCut
			}
			return nil
		}),
	)
	stop := work(t, m, syncjob.WorkerConfig{Name: "w1"})
	t.Cleanup(func() { drained(t, stop) })
	work(t, m, syncjob.WorkerConfig{Name: "w2"})
	synctest.Wait()
	require.NoError(t, m.Worker("w2").Quiet(t.Context())) // before it fetches anything
	w := &ward{m: m}
	for _, j := range []syncjob.Job{
		{Name: "failing", Open: true}, {Name: "paused", Open: true}, {Name: "ended", Root: leaf{I: -1}},
		{Name: "held", Root: leaf{I: -1}, OnFailure: syncjob.OnFailureHold},
		{Name: "hook", Root: leaf{}, OnFailure: syncjob.OnFailureHold},
	} {
		j.Set = "tree"
		_, err := m.Start(t.Context(), j, nil)
		require.NoError(t, err)
	}
	_, err := m.Enqueue(t.Context(), "failing", leaf{I: -1}, nil)
	require.NoError(t, err)
	require.NoError(t, m.PauseJob(t.Context(), "paused"))
	for id, delay := range map[string]time.Duration{"waits": 0, "later": time.Hour} {
		_, err = m.Enqueue(t.Context(), "paused", leaf{}, &enqueue.Options{ID: id, Delay: delay})
		require.NoError(t, err)
	}
	_, err = m.Ensure(t.Context(), syncjob.Job{Name: "off", Set: "tree", Open: true})
	require.NoError(t, err)
	require.NoError(t, m.Stop(t.Context(), "off", nil))
	_, err = m.Ensure(
		t.Context(),
		syncjob.Job{Name: "periodic", Set: "tree", Root: leaf{}, Schedule: &schedule.Schedule{Every: 24 * time.Hour}},
	)
	require.NoError(t, err)
	require.NoError(t, m.Pause(t.Context(), syncjob.Scope{Queue: "busy"}, ""))
	require.NoError(t, configureRetries(t.Context(), m, 3))
	lease, err := semaphore.New(m.Store()).TryAcquire(t.Context(), "lock", &semaphore.Options{Holder: "h", TTL: time.Hour})
	require.NoError(t, err)
	w.fence = lease.Fence
	time.Sleep(10 * time.Second)
	return w
}

// drained stops a worker, which may have been drained.
func drained(t *testing.T, stop func() error) {
	if err := stop(); !errors.Is(err, syncjob.ErrDrained) {
		require.NoError(t, err)
	}
}

// TestEveryOperationIsAudited walks over all methods that operators call: each only reads, or
// leaves its entries, or has a reason why not.
func TestEveryOperationIsAudited(t *testing.T) {
	unseen := make(map[string]bool)
	for _, names := range []any{operations, unaudited} {
		for _, key := range reflect.ValueOf(names).MapKeys() {
			unseen[key.String()] = true
		}
	}
	for _, of := range operated {
		typ := reflect.TypeOf(of)
		kind := typ.Elem().Name()
		for i := range typ.NumMethod() {
			method := typ.Method(i).Name
			name := kind + "." + method
			_, audited := operations[name]
			_, excused := unaudited[name]
			times := 0
			for _, is := range []bool{audited, excused, slices.Contains(readings[kind], method)} {
				if is {
					times++
				}
			}
			require.Equal(t, 1, times, "%s is to be listed once: in readings, operations or unaudited", name)
			delete(unseen, name)
		}
	}
	require.Empty(t, slices.Collect(maps.Keys(unseen)), "no such methods")
}

func TestEachOperationLeavesItsEntries(t *testing.T) {
	for name, op := range operations {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWard(t)
				began := time.Now()
				ctx := syncjob.WithReason(syncjob.WithActor(t.Context(), "ann"), "because")
				require.NoError(t, op.call(ctx, w))
				time.Sleep(time.Second)
				var got []string
				for e, err := range w.m.Audit(t.Context(), &syncjob.AuditOptions{Since: began}) {
					require.NoError(t, err)
					require.Equal(t, []string{"ann", "because"}, []string{e.By, e.Reason}, "%+v", e)
					require.WithinRange(t, e.At, began, time.Now())
					text := string(e.Action)
					if e.Job != "" {
						text += " " + e.Job
					}
					switch {
					case e.Action == actions.Start && e.Subject != "": // the number of the run before
						text += " again"
					case e.Subject != "":
						text += " " + e.Subject
					}
					got = append(got, text)
				}
				require.ElementsMatch(t, op.want, got)
			})
		})
	}
}
