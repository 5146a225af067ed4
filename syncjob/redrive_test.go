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
	"github.com/rollcall-go/rollcall/internal/redistest"
	"github.com/rollcall-go/rollcall/store"
	"github.com/rollcall-go/rollcall/store/memstore"
	"github.com/rollcall-go/rollcall/syncjob"
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
	run, err := m.Start(t.Context(), syncjob.Job{Name: "a", Set: "tree", Open: true, Headers: map[string]string{"who": "me"}, Weight: 2}, nil)
	require.NoError(t, err)
	_, err = run.EnqueueAll(t.Context(), leaves(n), nil)
	require.NoError(t, err)
	for i := range bulk {
		args := bulky{I: i, Padding: strings.Repeat("x", 400<<10)}
		_, err := run.Enqueue(t.Context(), args, &enqueue.Options{ID: fmt.Sprint("bulk/", i), Headers: map[string]string{"i": fmt.Sprint(i)}})
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
	require.Equal(t, syncjob.StatusSucceeded, final.Status)
	require.Equal(t, syncjob.Counts{Total: int64(tasks), Succeeded: int64(tasks)}, final.Counts)
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
		require.Equal(t, syncjob.StatusSucceeded, final.Status)
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

// mortal is the store of a process that dies at a call: what comes after fails. The last call may be applied all the same.
type mortal struct {
	store.Store
	left    atomic.Int64 // calls that it lives to see answered
	applied bool         // the call that it dies at
}

var errKilled = errors.New("the process was killed")

func dying[R any](s *mortal, call func() (R, error)) (R, error) {
	var none R
	switch left := s.left.Add(-1); {
	case left >= 0:
		return call()
	case left == -1 && s.applied:
		_, _ = call()
	}
	return none, errKilled
}

func (s *mortal) OpenProducer(ctx context.Context, partition int, stream string) error {
	_, err := dying(s, func() (struct{}, error) { return struct{}{}, s.Store.OpenProducer(ctx, partition, stream) })
	return err
}

func (s *mortal) Enqueue(ctx context.Context, p store.EnqueueParams) (store.EnqueueReply, error) {
	return dying(s, func() (store.EnqueueReply, error) { return s.Store.Enqueue(ctx, p) })
}

func (s *mortal) StartRun(ctx context.Context, p store.StartParams) (store.StartReply, error) {
	return dying(s, func() (store.StartReply, error) { return s.Store.StartRun(ctx, p) })
}

func (s *mortal) Failures(ctx context.Context, id store.RunID, offset, limit int) ([]store.Failure, error) {
	return dying(s, func() ([]store.Failure, error) { return s.Store.Failures(ctx, id, offset, limit) })
}

func (s *mortal) Inspect(ctx context.Context, id store.RunID) (store.Inspection, error) {
	return dying(s, func() (store.Inspection, error) { return s.Store.Inspect(ctx, id) })
}

// A process dies at every call of a redrive in turn, before it is applied or after, while a worker works off what it has added. Another
// one completes it, at once or when the stream was forgotten: every task runs once.
func TestRedriveGoesOnWhereADeadProcessStopped(t *testing.T) {
	for _, applied := range []bool{false, true} {
		for _, later := range []time.Duration{0, 25 * time.Hour} {
			died := int64(0)
			for completed := false; !completed; died++ {
				synctest.Test(t, func(t *testing.T) { completed = redriveTwice(t, died, applied, later) })
			}
			require.Greater(t, died, int64(10), "there are chunks to die between")
		}
	}
}

// redriveTwice reports whether the first process lived to complete the redrive.
func redriveTwice(t *testing.T, died int64, applied bool, later time.Duration) (completed bool) {
	const tasks, bulk = 300, 4
	ml, reg := newMill(t)
	shared := memstore.New(nil)
	m := managerOn(t, shared, reg)
	stop := work(t, m, syncjob.WorkerConfig{})
	source := ml.failed(t, m, tasks, bulk)
	ml.mended.Store(true)

	first := &mortal{Store: shared, applied: applied}
	first.left.Store(died)
	_, err := managerOn(t, first, reg).Run("a", source.Number()).Redrive(t.Context(), nil)
	if completed = err == nil; !completed {
		require.ErrorIs(t, err, errKilled)
	}
	time.Sleep(time.Minute)
	require.NoError(t, stop())
	time.Sleep(later)
	work(t, m, syncjob.WorkerConfig{})
	run, err := managerOn(t, shared, reg).Run("a", source.Number()).Redrive(t.Context(), nil)
	require.NoError(t, err)
	ml.redriven(t, run, tasks+bulk)
	return completed
}

func TestRedriveIsExactThoughRepliesAreLostAndManyAskAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ml, reg := newMill(t)
		shared := memstore.New(nil)
		m := managerOn(t, shared, reg)
		work(t, m, syncjob.WorkerConfig{})
		source := ml.failed(t, m, 900, 6)
		ml.mended.Store(true)
		numbers := make(chan int64, 8)
		for i := range cap(numbers) {
			deaf := managerOn(t, &forgetful{Store: shared, every: int64(2 + i%2)}, reg)
			go func() {
				run, err := deaf.Run("a", source.Number()).Redrive(t.Context(), nil)
				if err != nil {
					t.Error(err)
					numbers <- 0
					return
				}
				numbers <- run.Number()
			}()
		}
		first := <-numbers
		for range cap(numbers) - 1 {
			require.Equal(t, first, <-numbers)
		}
		ml.redriven(t, m.Run("a", first), 906)
	})
}

func TestRedriveIsExactOverRedisThoughRepliesAreLostAndAProcessDies(t *testing.T) {
	server := redistest.Start(t, nil)
	proxy := redistest.NewProxy(t, server.Addr)
	ml, reg := newMill(t)
	m, err := syncjob.Open(t.Context(), proxy.URL(), syncjob.Config{Registry: reg})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, m.Close()) })
	work(t, m, syncjob.WorkerConfig{})
	source := ml.failed(t, m, 700, 4)
	ml.mended.Store(true)
	proxy.Inject(redistest.Fault{Kind: redistest.Swallow, Every: 97}) // a look into a run takes some 30 replies
	for died := range int64(30) {
		first := &mortal{Store: m.Store(), applied: died%2 == 0}
		first.left.Store(died)
		_, err := managerOn(t, first, reg).Run("a", source.Number()).Redrive(t.Context(), nil)
		if err == nil {
			break
		}
		require.ErrorIs(t, err, errKilled)
	}
	run, err := source.Redrive(t.Context(), nil)
	require.NoError(t, err)
	require.True(t, run.Existing())
	ml.redriven(t, run, 704)
	require.Positive(t, proxy.Injected())
	proxy.Clear()
}

// forgetful loses the reply of every so many calls.
type forgetful struct {
	store.Store
	every int64
	calls atomic.Int64
}

func losing[R any](s *forgetful, call func() (R, error)) (R, error) {
	r, err := call()
	if err == nil && s.calls.Add(1)%s.every == 0 {
		var none R
		return none, store.Transient(errCut)
	}
	return r, err
}

func (s *forgetful) Enqueue(ctx context.Context, p store.EnqueueParams) (store.EnqueueReply, error) {
	return losing(s, func() (store.EnqueueReply, error) { return s.Store.Enqueue(ctx, p) })
}

func (s *forgetful) StartRun(ctx context.Context, p store.StartParams) (store.StartReply, error) {
	return losing(s, func() (store.StartReply, error) { return s.Store.StartRun(ctx, p) })
}

func TestARedriveThatIsStoppedMeanwhileEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ml, reg := newMill(t)
		s := &stopsRedrive{Store: memstore.New(nil)}
		m := managerOn(t, s, reg)
		work(t, m, syncjob.WorkerConfig{})
		source := ml.failed(t, m, 600, 0)
		s.armed.Store(true)
		run, err := source.Redrive(t.Context(), nil)
		require.NoError(t, err)
		final, err := run.Wait(t.Context())
		require.NoError(t, err)
		require.Equal(t, syncjob.StatusStopped, final.Status)
		require.Less(t, final.Counts.Total, int64(600))
	})
}

// stopsRedrive stops the run that a chunk of a redrive was added to.
type stopsRedrive struct {
	store.Store
	armed atomic.Bool
}

func (s *stopsRedrive) Enqueue(ctx context.Context, p store.EnqueueParams) (store.EnqueueReply, error) {
	reply, err := s.Store.Enqueue(ctx, p)
	if s.armed.Swap(false) {
		_ = s.StopRun(ctx, store.StopParams{Run: p.Entries[0].Run})
	}
	return reply, err
}

func TestFailuresAreReadByPage(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ml, reg := newMill(t)
		m := manager(t, reg)
		work(t, m, syncjob.WorkerConfig{})
		source := ml.failed(t, m, 250, 4)
		read := func(o *syncjob.FailuresOptions) (ids []string) {
			for f, err := range source.Failures(t.Context(), o) {
				require.NoError(t, err)
				ids = append(ids, f.TaskID)
			}
			return ids
		}
		all := read(nil)
		require.Len(t, all, 254)
		var paged []string
		for page := read(&syncjob.FailuresOptions{Limit: 60}); len(page) > 0; {
			paged = append(paged, page...)
			page = read(&syncjob.FailuresOptions{Limit: 60, Offset: len(paged)})
		}
		require.Equal(t, all, paged)
		require.Len(t, read(&syncjob.FailuresOptions{Kinds: []string{"bulky"}}), 4)
		require.Len(t, read(&syncjob.FailuresOptions{Kinds: []string{"bulky"}, Offset: 1, Limit: 2}), 2)
		require.Equal(t, []string{"bulk/3"}, read(&syncjob.FailuresOptions{IDs: []string{"bulk/3", "none"}}))
		for f, err := range source.Failures(t.Context(), &syncjob.FailuresOptions{IDs: []string{"bulk/3"}}) {
			require.NoError(t, err)
			var args bulky
			require.NoError(t, f.DecodeArgs(&args))
			require.Equal(t, 3, args.I)
			require.Equal(t, "broken", f.Error)
		}
		require.Equal(t, []string{"Offset", "Limit"}, fields(firstError(source.Failures(t.Context(), &syncjob.FailuresOptions{Offset: -1, Limit: -1}))))
	})
}
