package syncjob_test

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/rollcall-go/rollcall/enqueue"
	"github.com/rollcall-go/rollcall/handlers"
	"github.com/rollcall-go/rollcall/store/memstore"
	"github.com/rollcall-go/rollcall/syncjob"
	"github.com/rollcall-go/rollcall/syncjob/states"
)

// bulky is a leaf whose arguments take some space.
type bulky struct {
	I       int
	Padding string
}

func (bulky) Kind() string { return "bulky" }

// mill is a set whose tasks fail until it is mended. It notes what ran since.
type mill struct {
	mended atomic.Bool
	mu     sync.Mutex
	ran    map[string]int // attempts by run and ID, of the mended
	pre    atomic.Int64
	post   atomic.Int64
}

func newMill(t testing.TB) (*mill, *handlers.Registry) {
	t.Helper()
	ml := &mill{ran: make(map[string]int)}
	s := handlers.NewSet("tree", handlers.SetConfig{
		Attributes: handlers.Attributes{MaxRetries: handlers.NoRetries},
		Hooks: handlers.Hooks{
			PreJob:  func(context.Context, *handlers.Run) error { ml.pre.Add(1); return nil },
			PostJob: func(context.Context, *handlers.Run) error { ml.post.Add(1); return nil },
		},
	})
	handlers.Handle(s, func(_ context.Context, task *handlers.Task[leaf]) error { return ml.run(task.Attempt) }, nil)
	handlers.Handle(s, func(_ context.Context, task *handlers.Task[bulky]) error { return ml.run(task.Attempt) },
		&handlers.KindOptions{Attributes: handlers.Attributes{Queue: "bulk"}})
	reg, err := handlers.NewRegistry(s)
	require.NoError(t, err)
	return ml, reg
}

func (ml *mill) run(a *handlers.Attempt) error {
	if !ml.mended.Load() {
		return errors.New("broken")
	}
	ml.mu.Lock()
	defer ml.mu.Unlock()
	ml.ran[fmt.Sprintf("%d/%s", a.Run.Number, a.ID)]++
	return nil
}

// failed runs a job of n leaves and some bulky tasks, of which every one fails.
func (ml *mill) failed(t testing.TB, m *syncjob.Manager, n, bulk int) *syncjob.Run {
	t.Helper()
	run, err := m.Start(
		t.Context(), syncjob.Job{Name: "a", Set: "tree", Open: true, Headers: map[string]string{"who": "me"}, Weight: 2},
		nil,
	)
	require.NoError(t, err)
	_, err = run.EnqueueAll(t.Context(), leaves(n), nil)
	require.NoError(t, err)
	for i := range bulk {
		args := bulky{I: i, Padding: strings.Repeat("x", 400<<10)}
		_, err := run.Enqueue(
			t.Context(), args, &enqueue.Options{ID: fmt.Sprint("bulk/", i), Headers: map[string]string{"i": fmt.Sprint(i)}},
		)
		require.NoError(t, err)
	}
	require.NoError(t, run.Seal(t.Context()))
	final, err := run.Wait(t.Context())
	require.NoError(t, err)
	require.EqualValues(t, n+bulk, final.Counts.Failed)
	return run
}

// redriven requires the run to have succeeded with so many tasks, each of which ran once.
func (ml *mill) redriven(t testing.TB, run *syncjob.Run, tasks int) {
	t.Helper()
	final, err := run.Wait(t.Context())
	require.NoError(t, err)
	require.Equal(t, states.Succeeded, final.Status)
	require.Equal(t, states.Counts{Total: int64(tasks), Succeeded: int64(tasks)}, final.Counts)
	ml.mu.Lock()
	defer ml.mu.Unlock()
	ran := 0
	for name, times := range ml.ran {
		if strings.HasPrefix(name, fmt.Sprintf("%d/", run.Number())) {
			require.Equal(t, 1, times, name)
			ran++
		}
	}
	require.Equal(t, tasks, ran)
}

func TestRedriveRunsFailedTasksAgainAsANewRun(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ml, reg := newMill(t)
		m := manager(t, reg)
		work(t, m, syncjob.WorkerConfig{})
		source := ml.failed(t, m, 700, 5)
		want := make(map[string]string)
		for f, err := range source.Failures(t.Context(), nil) {
			require.NoError(t, err)
			want[f.TaskID] = string(f.Payload)
		}
		require.Len(t, want, 705)

		ml.mended.Store(true)
		run, err := source.Redrive(t.Context(), nil)
		require.NoError(t, err)
		require.False(t, run.Existing())
		require.Greater(t, run.Number(), source.Number())
		ml.redriven(t, run, 705)
		require.EqualValues(t, 2, ml.pre.Load(), "each run has hooks of its own")
		require.EqualValues(t, 2, ml.post.Load())
		ml.mu.Lock()
		for id := range want {
			require.Contains(t, ml.ran, fmt.Sprintf("%d/%s", run.Number(), id))
		}
		ml.mu.Unlock()
		state, err := run.State(t.Context())
		require.NoError(t, err)
		require.Equal(t, source.Number(), state.RedriveOf)
		require.Equal(t, map[string]string{"who": "me"}, state.Headers)
		require.InDelta(t, 2, state.Weight, 0)

		again, err := source.Redrive(t.Context(), &syncjob.RedriveOptions{})
		require.NoError(t, err)
		require.True(t, again.Existing())
		require.Equal(t, run.Number(), again.Number())
		other, err := source.Redrive(t.Context(), &syncjob.RedriveOptions{Key: "once more"})
		require.NoError(t, err)
		require.False(t, other.Existing())
		ml.redriven(t, other, 705)
	})
}

func TestRedriveKeepsWhatATaskCarriesAndCountsAttemptsAnew(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var seen []handlers.Attempt
		broken := true
		s := handlers.NewSet("tree", handlers.SetConfig{Attributes: handlers.Attributes{MaxRetries: 2}})
		handlers.Handle(s, func(_ context.Context, task *handlers.Task[leaf]) error {
			var root leaf
			require.NoError(t, task.Run.DecodeArgs(&root))
			require.Equal(t, leaf{7}, root)
			require.Equal(t, leaf{7}, task.Args)
			seen = append(seen, handlers.Attempt{ID: task.ID, Queue: task.Queue, Retry: task.Retry, Headers: maps.Clone(task.Headers)})
			if broken {
				return errors.New("broken")
			}
			return nil
		}, nil)
		reg, err := handlers.NewRegistry(s)
		require.NoError(t, err)
		m := manager(t, reg)
		work(t, m, syncjob.WorkerConfig{Queues: []syncjob.Queue{{Name: "own"}}})
		source, err := m.Start(t.Context(), syncjob.Job{Name: "a", Set: "tree", Root: leaf{7}, RootOptions: &enqueue.Options{
			ID: "chosen", IDFor: time.Hour, Queue: "own", Headers: map[string]string{"k": "v"}, MaxRetries: 1,
		}}, nil)
		require.NoError(t, err)
		_, err = source.Wait(t.Context())
		require.NoError(t, err)
		run, err := source.Redrive(t.Context(), nil)
		require.NoError(t, err)
		_, err = run.Wait(t.Context())
		require.NoError(t, err)
		broken = false
		next, err := run.Redrive(t.Context(), nil)
		require.NoError(t, err)
		final, err := next.Wait(t.Context())
		require.NoError(t, err)
		require.Equal(t, states.Succeeded, final.Status)
		require.Equal(t, run.Number(), final.RedriveOf)

		require.Len(t, seen, 5, "one retry, as the task itself says, in the first two runs")
		for i := range seen {
			require.Equal(t, "chosen", seen[i].ID)
			require.Equal(t, "own", seen[i].Queue)
			require.Equal(t, i%2, seen[i].Retry)
			require.Equal(t, map[string]string{"k": "v"}, seen[i].Headers)
		}
	})
}

func TestRedriveTakesWhatIsSelectedOrSaysWhyNot(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ml, reg := newMill(t)
		s := memstore.New(nil)
		m, err := syncjob.New(s, syncjob.Config{Registry: reg, FailureCap: 50})
		require.NoError(t, err)
		t.Cleanup(func() { require.NoError(t, m.Close()) })
		stop := work(t, m, syncjob.WorkerConfig{})
		source := ml.failed(t, m, 30, 3)
		ml.mended.Store(true)

		_, err = source.Redrive(t.Context(), &syncjob.RedriveOptions{Kinds: []string{"other"}})
		require.ErrorIs(t, err, syncjob.ErrNothingToRedrive)
		_, err = source.Redrive(t.Context(), &syncjob.RedriveOptions{IDs: []string{"bulk/1", "bulk/9"}})
		require.Equal(t, []string{"IDs[1]"}, fields(err))
		_, err = source.Redrive(t.Context(), &syncjob.RedriveOptions{Kinds: []string{"a b"}, Key: "\x00"})
		require.Equal(t, []string{"Kinds[0]", "Key"}, fields(err))
		_, err = m.Run("a", 1).Redrive(t.Context(), nil)
		require.ErrorIs(t, err, syncjob.ErrRunNotFound)
		other, err := handlers.NewRegistry(handlers.NewSet("other", handlers.SetConfig{}))
		require.NoError(t, err)
		_, err = managerOn(t, s, other).Run("a", source.Number()).Redrive(t.Context(), nil)
		require.Equal(t, []string{"Set"}, fields(err))

		run, err := source.Redrive(t.Context(), &syncjob.RedriveOptions{Kinds: []string{"bulky"}})
		require.NoError(t, err)
		ml.redriven(t, run, 3)
		run, err = source.Redrive(t.Context(), &syncjob.RedriveOptions{IDs: []string{"bulk/2", "bulk/0", "bulk/2"}})
		require.NoError(t, err)
		ml.redriven(t, run, 2)
		same, err := source.Redrive(t.Context(), &syncjob.RedriveOptions{IDs: []string{"bulk/0", "bulk/2"}})
		require.NoError(t, err)
		require.Equal(t, run.Number(), same.Number())
		_, err = run.Redrive(t.Context(), nil)
		require.ErrorIs(t, err, syncjob.ErrNothingToRedrive)

		ml.mended.Store(false)
		over := ml.failed(t, m, 60, 0)
		ml.mended.Store(true)
		var gone *syncjob.FailuresGoneError
		_, err = over.Redrive(t.Context(), nil)
		require.ErrorAs(t, err, &gone)
		require.Equal(t, &syncjob.FailuresGoneError{Kept: 50, Gone: 10}, gone)
		_, err = over.Redrive(t.Context(), &syncjob.RedriveOptions{IDs: []string{"unknown"}})
		require.ErrorAs(t, err, &gone)
		var kept string
		for f, err := range over.Failures(t.Context(), &syncjob.FailuresOptions{Limit: 1}) {
			require.NoError(t, err)
			kept = f.TaskID
		}
		run, err = over.Redrive(t.Context(), &syncjob.RedriveOptions{IDs: []string{kept}})
		require.NoError(t, err, "what was asked for is there")
		ml.redriven(t, run, 1)
		run, err = over.Redrive(t.Context(), &syncjob.RedriveOptions{AllowPartial: true})
		require.NoError(t, err)
		ml.redriven(t, run, 50)

		require.NoError(t, stop())
		active, err := m.Start(t.Context(), syncjob.Job{Name: "a", Set: "tree", Root: leaf{}}, nil)
		require.NoError(t, err)
		_, err = active.Redrive(t.Context(), nil)
		require.ErrorIs(t, err, syncjob.ErrRunActive)
		exists, err := source.Redrive(t.Context(), nil)
		require.ErrorIs(t, err, syncjob.ErrJobExists)
		require.Equal(t, active.Number(), exists.Number())
	})
}

func TestADisabledJobIsNotRedriven(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		_, reg := newMill(t)
		m := manager(t, reg)
		work(t, m, syncjob.WorkerConfig{})
		_, err := m.Ensure(t.Context(), syncjob.Job{Name: "a", Set: "tree", Open: true})
		require.NoError(t, err)
		run, err := m.Latest(t.Context(), "a")
		require.NoError(t, err)
		_, err = run.Enqueue(t.Context(), leaf{}, nil)
		require.NoError(t, err)
		time.Sleep(time.Minute)
		require.NoError(t, m.Stop(t.Context(), "a", nil))
		_, err = run.Redrive(t.Context(), nil)
		require.ErrorIs(t, err, syncjob.ErrJobDisabled)
	})
}

func TestHooksAndHandlersOfARedriveKnowWhatItIs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var mu sync.Mutex
		seen := make(map[string][]int64)
		note := func(who string, of int64) {
			mu.Lock()
			defer mu.Unlock()
			seen[who] = append(seen[who], of)
		}
		hook := func(who string) func(context.Context, *handlers.Run) error {
			return func(_ context.Context, run *handlers.Run) error {
				of, err := run.RedriveSource()
				require.Equal(t, run.RedriveOf, of)
				note(who, run.RedriveOf)
				return err
			}
		}
		var total int64
		s := handlers.NewSet("tree", handlers.SetConfig{
			Attributes: handlers.Attributes{MaxRetries: handlers.NoRetries},
			Hooks: handlers.Hooks{
				Validate: hook("validate"),
				PreJob:   hook("pre"),
				PostJob: func(ctx context.Context, run *handlers.Run) error {
					total = run.Counts.Succeeded
					if run.RedriveOf != 0 { // what the others did is in the run that it is about
						m, ok := syncjob.FromContext(ctx)
						require.True(t, ok)
						of, err := m.Run(run.Job, run.RedriveOf).State(ctx)
						require.NoError(t, err)
						total += of.Counts.Succeeded
					}
					return hook("post")(ctx, run)
				},
			},
		})
		handlers.Handle(s, func(_ context.Context, task *handlers.Task[leaf]) error {
			of, err := task.Run.RedriveSource()
			require.NoError(t, err)
			note("task", of)
			if of == 0 && task.Args.I < 2 {
				return errors.New("broken")
			}
			return nil
		}, nil)
		reg, err := handlers.NewRegistry(s)
		require.NoError(t, err)
		m := manager(t, reg)
		work(t, m, syncjob.WorkerConfig{})
		run, err := m.Start(t.Context(), syncjob.Job{Name: "a", Set: "tree", Open: true}, nil)
		require.NoError(t, err)
		_, err = run.EnqueueAll(t.Context(), leaves(5), nil)
		require.NoError(t, err)
		require.NoError(t, run.Seal(t.Context()))
		_, err = run.Wait(t.Context())
		require.NoError(t, err)
		require.EqualValues(t, 3, total)
		again, err := run.Redrive(t.Context(), nil)
		require.NoError(t, err)
		final, err := again.Wait(t.Context())
		require.NoError(t, err)
		require.Equal(t, run.Number(), final.RedriveOf)
		require.EqualValues(t, 5, total)
		n := run.Number()
		require.Equal(t, map[string][]int64{
			"validate": {0, n}, "pre": {0, n}, "post": {0, n}, "task": {0, 0, 0, 0, 0, n, n},
		}, seen)
	})
}

func TestFailuresAreReadByPage(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ml, reg := newMill(t)
		m := manager(t, reg)
		work(t, m, syncjob.WorkerConfig{})
		source := ml.failed(t, m, 250, 4)
		var last int64 // place of the last one read
		read := func(o *syncjob.FailuresOptions) (ids []string) {
			for f, err := range source.Failures(t.Context(), o) {
				require.NoError(t, err)
				ids, last = append(ids, f.TaskID), f.Place
			}
			return ids
		}
		all := read(nil)
		require.Len(t, all, 254)
		require.EqualValues(t, 254, last)
		var paged []string
		for page := read(&syncjob.FailuresOptions{Limit: 60}); len(page) > 0; {
			paged = append(paged, page...)
			page = read(&syncjob.FailuresOptions{Limit: 60, After: last})
		}
		require.Equal(t, all, paged)
		require.Len(t, read(&syncjob.FailuresOptions{Kinds: []string{"bulky"}}), 4)
		first := read(&syncjob.FailuresOptions{Kinds: []string{"bulky"}, Limit: 1})
		require.NotContains(t, read(&syncjob.FailuresOptions{Kinds: []string{"bulky"}, After: last, Limit: 2}), first[0])
		require.Equal(t, []string{"bulk/3"}, read(&syncjob.FailuresOptions{IDs: []string{"bulk/3", "none"}}))
		for f, err := range source.Failures(t.Context(), &syncjob.FailuresOptions{IDs: []string{"bulk/3"}}) {
			require.NoError(t, err)
			var args bulky
			require.NoError(t, f.DecodeArgs(&args))
			require.Equal(t, 3, args.I)
			require.Equal(t, "broken", f.Error)
		}
		require.Equal(
			t, []string{"After", "Limit"},
			fields(firstError(source.Failures(t.Context(), &syncjob.FailuresOptions{After: -1, Limit: -1}))),
		)
	})
}
