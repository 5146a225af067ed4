package script_test

import (
	"context"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/rollcall-go/rollcall/enqueue"
	"github.com/rollcall-go/rollcall/handlers"
	"github.com/rollcall-go/rollcall/handlers/script"
	"github.com/rollcall-go/rollcall/internal/redistest"
	"github.com/rollcall-go/rollcall/store"
	"github.com/rollcall-go/rollcall/store/memstore"
	"github.com/rollcall-go/rollcall/syncjob"
	"github.com/rollcall-go/rollcall/syncjob/states"
	"github.com/rollcall-go/rollcall/syncjob/syncjobtest"
)

type fan struct{ N int }

func (fan) Kind() string { return "fan" }

// answers is a script whose function ask answers n.
func answers(n int) string { return fmt.Sprintf("def ask(): return %d\n", n) }

func configure(t testing.TB, m *syncjob.Manager, by, src string) {
	t.Helper()
	_, err := m.Configure(t.Context(), "ingest", &syncjob.ConfigureOptions{By: by, Reason: "test"},
		func(c *syncjob.Configuration) error { c.Set.Script = src; return nil })
	require.NoError(t, err)
}

// fansOut is a registry whose tasks ask the script.
func fansOut(t testing.TB, onFile func(ctx context.Context, a *handlers.Task[file]) error) *handlers.Registry {
	t.Helper()
	set := newSet(t, handlers.SetConfig{}, onFile)
	handlers.Handle(set, func(ctx context.Context, a *handlers.Task[fan]) error {
		_, err := a.EnqueueAll(ctx, func(yield func(enqueue.Item, error) bool) {
			for i := range a.Args.N {
				if !yield(enqueue.Task(file{Size: int64(i)}, nil), nil) {
					return
				}
			}
		})
		return err
	}, nil)
	reg, err := handlers.NewRegistry(set)
	require.NoError(t, err)
	return reg
}

// polling is a manager with a worker, whose store does not tell it of changes.
func polling(t *testing.T, s store.Store, reg *handlers.Registry) *syncjob.Manager {
	m, err := syncjob.New(struct{ store.Store }{s}, syncjob.Config{Registry: reg})
	require.NoError(t, err)
	w, err := m.NewWorker(syncjob.WorkerConfig{Concurrency: 500, Grace: syncjob.NoGrace})
	require.NoError(t, err)
	ctx, stop := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- w.Run(ctx) }()
	t.Cleanup(func() {
		stop()
		require.NoError(t, <-ended)
		require.NoError(t, m.Close())
	})
	return m
}

// In virtual time, two workers run 100,000 tasks of a second each, while the script changes every
// ten seconds. Whoever begins more than a second after a change obeys it.
func TestAScriptChangesWhile100000TasksRun(t *testing.T) {
	const tasks, versions = 100_000, 8
	synctest.Test(t, func(t *testing.T) {
		var configured [versions + 1]atomic.Int64 // when, in ns
		var ran, late, soon atomic.Int64
		reg := fansOut(t, func(ctx context.Context, _ *handlers.Task[file]) error {
			begin := time.Now().UnixNano()
			got, err := script.Call(ctx, "ask", 0)
			if err != nil {
				return err
			}
			for v := got + 1; v <= versions; v++ {
				switch at := configured[v].Load(); {
				case at == 0:
				case begin > at+int64(time.Second):
					late.Add(1)
				default:
					soon.Add(1)
				}
			}
			time.Sleep(time.Second)
			ran.Add(1)
			return nil
		})
		shared := memstore.New(nil)
		managers := []*syncjob.Manager{polling(t, shared, reg), polling(t, shared, reg)}
		m := managers[0]
		run, err := m.Start(t.Context(), syncjob.Job{Name: "a", Set: "ingest", Root: fan{tasks}}, nil)
		require.NoError(t, err)
		for v := 1; v <= versions; v++ {
			time.Sleep(10 * time.Second)
			configure(t, m, fmt.Sprint("operator ", v), answers(v))
			configured[v].Store(time.Now().UnixNano())
		}
		final, err := run.Wait(t.Context())
		require.NoError(t, err)
		require.Equal(t, states.Succeeded, final.Status)
		require.EqualValues(t, tasks+1, final.Counts.Succeeded)
		require.EqualValues(t, tasks, ran.Load(), "each ran once")
		require.Zero(t, late.Load(), "attempts that did not obey a change of more than a second before")
		require.NotZero(t, soon.Load(), "attempts that began before their worker knew of a change")
		history, err := m.History(t.Context(), "ingest", nil)
		require.NoError(t, err)
		require.Len(t, history, versions)
		for i, change := range history {
			require.Equal(t, fmt.Sprint("operator ", versions-i), change.By)
			if i < versions-1 {
				require.Equal(t, answers(versions-i-1), change.Before.Set.Script)
			}
		}
	})
}

// On Redis, each of two workers obeys a change once, and from then on always.
func TestNoWorkerGoesBackToAnEarlierScriptOnRedis(t *testing.T) {
	url := redistest.Start(t, nil).URL()
	var seen [2]atomic.Int64
	var back atomic.Int64
	changed := [2]chan struct{}{make(chan struct{}), make(chan struct{})}
	var managers [2]*syncjob.Manager
	for i := range managers {
		reg := fansOut(t, func(ctx context.Context, _ *handlers.Task[file]) error {
			got, err := script.Call(ctx, "ask", 0)
			was := seen[i].Load()
			switch {
			case err != nil:
			case int64(got) < was:
				back.Add(1)
			case got == 2 && seen[i].CompareAndSwap(was, 2) && was != 2:
				close(changed[i])
			}
			return err
		})
		m, err := syncjob.Open(t.Context(), url, syncjob.Config{Registry: reg})
		require.NoError(t, err)
		defer m.Close()
		managers[i] = m
		// One slot: what a worker sees has an order.
		w, err := m.NewWorker(syncjob.WorkerConfig{Concurrency: 1, Grace: syncjob.NoGrace})
		require.NoError(t, err)
		ctx, stop := context.WithCancel(t.Context())
		ended := make(chan error, 1)
		go func() { ended <- w.Run(ctx) }()
		defer func() { stop(); require.NoError(t, <-ended) }()
	}
	m := managers[0]
	configure(t, m, "ann", answers(1))
	run, err := m.Start(t.Context(), syncjob.Job{Name: "a", Set: "ingest", Open: true}, nil)
	require.NoError(t, err)
	add := func(n int) {
		for range n {
			_, err := m.Enqueue(t.Context(), "a", file{}, nil)
			require.NoError(t, err)
		}
	}
	add(200)
	configure(t, m, "ben", answers(2))
	total := 200
	for waiting := true; waiting; {
		add(20)
		total += 20
		select {
		case <-changed[0]:
			select {
			case <-changed[1]:
				waiting = false
			default:
			}
		case <-t.Context().Done():
			t.FailNow()
		default:
		}
	}
	add(200)
	require.NoError(t, run.Seal(t.Context()))
	final, err := run.Wait(t.Context())
	require.NoError(t, err)
	require.EqualValues(t, total+200, final.Counts.Succeeded)
	require.Zero(t, back.Load())
}

func TestHooksOfAJob(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var order []string
		note := func(s string) func(context.Context, *handlers.Run) error {
			return func(context.Context, *handlers.Run) error { order = append(order, s); return nil }
		}
		set := newSet(t, handlers.SetConfig{
			Attributes: handlers.Attributes{Params: map[string]any{"least": 1}},
			Hooks:      handlers.Hooks{PreJob: note("code pre"), PostJob: note("code post")},
		}, func(ctx context.Context, _ *handlers.Task[file]) error { order = append(order, "task"); return nil })
		reg, err := handlers.NewRegistry(set)
		require.NoError(t, err)
		kit := syncjobtest.New(t, reg, nil)
		start := func(name, src string) states.Run {
			c := source(src)
			return kit.Run(syncjob.Job{Name: name, Set: "ingest", Root: file{Path: "/root"}, Configuration: &c})
		}
		require.Equal(t, states.Skipped, start("a", `
def pre_job(run):
  if run.args["path"] == "/root" and params()["least"] == 1 and run.status == "starting": skip_run("not " + run.job)
`).Status)
		require.Equal(t, []string{"code pre"}, order)
		order = nil
		failed := start("b", "def pre_job(run): permanent('never')")
		require.Equal(t, states.Failed, failed.Status)
		require.Contains(t, failed.LastError, "script: pre_job: never (at 1:28 in pre_job)")
		order = nil
		passed := start("c", "def post_job(run):\n  if run.succeeded != 1 or run.retry < 2: fail('again')\n")
		require.Equal(t, states.Succeeded, passed.Status)
		require.Equal(t, []string{"code pre", "task", "code post"}, order)
		require.Empty(t, start("d", "").LastError)
	})
}

func TestAScriptOfOneRunIsForThatRunAlone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		got := make(map[string]int)
		reg := fansOut(t, func(ctx context.Context, a *handlers.Task[file]) (err error) {
			got[a.Run.Job], err = script.Call(ctx, "ask", 0)
			return err
		})
		kit := syncjobtest.New(t, reg, &syncjobtest.Options{WorkerConfig: syncjob.WorkerConfig{Concurrency: 1}})
		configure(t, kit.Manager, "ann", answers(1))
		time.Sleep(time.Second)
		own := source(answers(2))
		kit.Run(syncjob.Job{Name: "a", Set: "ingest", Root: file{}})
		kit.Run(syncjob.Job{Name: "b", Set: "ingest", Root: file{}, Configuration: &own})
		require.Equal(t, map[string]int{"a": 1, "b": 2}, got)
		_, err := kit.Manager.Start(t.Context(), syncjob.Job{Name: "c", Set: "ingest", Root: file{}, Configuration: &handlers.Configuration{
			Set: handlers.Attributes{Script: "\ndef ask(: pass"},
		}}, nil)
		require.ErrorContains(t, err, "Configuration.Set.Script does not compile: 2:10: got ':', want ')'")
		_, err = kit.Manager.Configure(t.Context(), "ingest", nil, func(c *syncjob.Configuration) error {
			c.Set.Script = strings.Repeat("# x\n", handlers.MaxScript)
			return nil
		})
		require.ErrorContains(t, err, "Set.Script takes 262144 bytes")
	})
}
