package syncjob_test

import (
	"context"
	"errors"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/rollcall-go/rollcall/internal/redistest"
	"github.com/rollcall-go/rollcall/store"
	"github.com/rollcall-go/rollcall/store/memstore"
	"github.com/rollcall-go/rollcall/syncjob"
	"github.com/rollcall-go/rollcall/syncjob/states"
)

// mortal is the store of a process that dies at a call: what comes after fails. The last call may
// be applied all the same.
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

func (s *mortal) RedoFailures(ctx context.Context, p store.RedoParams) (store.RedoReply, error) {
	return dying(s, func() (store.RedoReply, error) { return s.Store.RedoFailures(ctx, p) })
}

func (s *mortal) StartRun(ctx context.Context, p store.StartParams) (store.StartReply, error) {
	return dying(s, func() (store.StartReply, error) { return s.Store.StartRun(ctx, p) })
}

func (s *mortal) Failures(ctx context.Context, p store.FailuresParams) ([]store.Failure, error) {
	return dying(s, func() ([]store.Failure, error) { return s.Store.Failures(ctx, p) })
}

func (s *mortal) Inspect(ctx context.Context, id store.RunID) (store.Inspection, error) {
	return dying(s, func() (store.Inspection, error) { return s.Store.Inspect(ctx, id) })
}

// A process dies at every call of a redrive in turn, before it is applied or after, while a worker
// works off what it has added. Another one completes it, at once or when the stream was forgotten:
// every task runs once.
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

func (s *forgetful) RedoFailures(ctx context.Context, p store.RedoParams) (store.RedoReply, error) {
	return losing(s, func() (store.RedoReply, error) { return s.Store.RedoFailures(ctx, p) })
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
		require.Equal(t, states.Stopped, final.Status)
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
