package scene

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/rollcall-go/rollcall/enqueue"
	"github.com/rollcall-go/rollcall/handlers"
	"github.com/rollcall-go/rollcall/store"
	"github.com/rollcall-go/rollcall/store/memstore"
	"github.com/rollcall-go/rollcall/store/semaphore"
	"github.com/rollcall-go/rollcall/store/values"
	"github.com/rollcall-go/rollcall/syncjob"
)

// Fixed is one store with something of everything. Two of them differ in nothing that is shown: the
// clock is virtual, and names, IDs and times are given.
type Fixed struct {
	*Place
	Store  store.Store
	Failed *syncjob.Run // ended, with failures
	Busy   *syncjob.Run // a task runs, others wait, are delayed and were retried
}

// NewFixed builds the store. It must be called in a bubble of synctest.
func NewFixed(t *testing.T) *Fixed {
	t.Helper()
	ctx := syncjob.WithReason(syncjob.WithActor(t.Context(), "ann"), "the disk is slow")
	s := remembers{named{memstore.New(&memstore.Options{Partitions: 2})}}
	f := &Fixed{Place: New(t, s), Store: s}
	f.dead(t)
	f.Work()
	f.configured(ctx, t)
	f.Nightly(ctx, "nightly")
	f.Failed = f.Started("import/7")
	for i, task := range []Leaf{{Fail: "no such file: a.jpg"}, {}, {Fail: "no such file: b.jpg"}, {Bytes: 4711}} {
		f.add(f.Failed, "file-"+string(rune('a'+i)), task, nil)
	}
	f.Ended(f.Failed)
	stopped := f.Started("import/8")
	f.add(stopped, "file-a", Leaf{Block: true}, nil)
	require.NoError(t, stopped.Stop(ctx, &syncjob.StopOptions{Reason: "wrong bucket"}))
	f.later()
	f.GaveUp("report")
	f.later()
	f.Busy = f.Started("busy")
	f.add(f.Busy, "runs", Leaf{Block: true}, nil)
	f.add(f.Busy, "flaky", Leaf{Flaky: "the disk is full"}, nil)
	f.add(f.Busy, "later", Leaf{}, &enqueue.Options{Delay: 3 * time.Hour})
	f.add(f.Busy, "waits-1", Leaf{}, &enqueue.Options{Queue: "gpu"})
	f.add(f.Busy, "waits-2", Leaf{}, &enqueue.Options{Queue: "gpu"})
	f.add(f.Busy, "late", Leaf{}, &enqueue.Options{Queue: "gpu", Expires: time.Now().Add(10 * time.Second)})
	require.NoError(t, f.M.Pause(ctx, syncjob.Scope{Queue: "mail"}, "new server"))
	f.locked(ctx, t)
	time.Sleep(time.Minute)
	synctest.Wait()
	return f
}

// add enqueues a task, and lets it be done.
func (f *Fixed) add(r *syncjob.Run, id string, task Leaf, opts *enqueue.Options) {
	if opts == nil {
		opts = new(enqueue.Options)
	}
	opts.ID = id
	f.Enqueued(r, task, opts)
	f.later()
}

// later lets what was begun be done, and a second pass: what comes then is after it in all lists.
func (f *Fixed) later() {
	synctest.Wait()
	time.Sleep(time.Second)
	synctest.Wait()
}

// dead leaves a session behind that nobody keeps alive, until the store gives it up.
func (f *Fixed) dead(t *testing.T) {
	info := store.WorkerInfo{Name: "w0", Version: "v1.2.2", Concurrency: 4, Started: time.Now()}
	require.NoError(t, f.Store.OpenSession(t.Context(), store.SessionID{ID: "dead", Partition: 0}, info, time.Second))
	for range 10 {
		_, err := f.Store.Sweep(t.Context(), 0)
		require.NoError(t, err)
		time.Sleep(500 * time.Millisecond)
	}
	lost, err := f.M.LostWorkers(t.Context())
	require.NoError(t, err)
	require.Len(t, lost, 1)
}

func (f *Fixed) configured(ctx context.Context, t *testing.T) {
	synctest.Wait() // the worker has published its set
	for _, retries := range []int{5, 7} {
		_, err := f.M.Configure(ctx, Set, &syncjob.ConfigureOptions{Reason: "flaky disk"},
			func(c *handlers.Configuration) error {
				c.Set.MaxRetries, c.Set.MaxRunning = retries, 4
				return nil
			})
		require.NoError(t, err)
		time.Sleep(time.Minute)
	}
}

// locked takes a semaphore, lets somebody wait for it, and stores values.
func (f *Fixed) locked(ctx context.Context, t *testing.T) {
	_, err := semaphore.New(f.Store).
		TryAcquire(ctx, "bucket/eu", &semaphore.Options{Holder: "importer-1", TTL: time.Hour})
	require.NoError(t, err)
	line, leave := context.WithCancel(ctx)
	left := make(chan error, 1)
	go func() {
		_, err := semaphore.New(f.Store).Acquire(line, "bucket/eu", &semaphore.Options{Holder: "importer-2"})
		left <- err
	}()
	t.Cleanup(func() { leave(); require.ErrorIs(t, <-left, context.Canceled) })
	seen := values.NewMap[int](f.M.Values(), store.NamespaceScope(0), "seen")
	require.NoError(t, seen.Set(ctx, "x", 1))
}

// named is a store whose workers all say that they run on one host, as one process.
type named struct{ store.Store }

func (n named) OpenSession(
	ctx context.Context, id store.SessionID, info store.WorkerInfo, lease time.Duration,
) error {
	info.Host, info.PID = "host-1", 4242
	return n.Store.OpenSession(ctx, id, info, lease)
}

// SignalsAreComplete implements store.CompleteSignals.
func (n named) SignalsAreComplete() bool { return store.SignalsAreComplete(n.Store) }
