package faults

import (
	"context"
	"fmt"
	"iter"
	"math/rand/v2"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/rollcall-go/rollcall/enqueue"
	"github.com/rollcall-go/rollcall/handlers"
	"github.com/rollcall-go/rollcall/internal/lifecycle"
	"github.com/rollcall-go/rollcall/internal/redistest"
	"github.com/rollcall-go/rollcall/store/bounds"
	"github.com/rollcall-go/rollcall/store/redisstore"
	"github.com/rollcall-go/rollcall/syncjob"
	"github.com/rollcall-go/rollcall/syncjob/states"
)

// A clan is a run whose root has parents, each of which stages more children than travel with a
// success. What its handlers did is known to them alone, in memory that no server loses.
type clan struct {
	parents  int
	attempts tally         // of parents, each in the middle of its fan-out
	ran      []atomic.Bool // children, by parent and position
	blow     atomic.Pointer[blow]
}

// blow is a loss that is about to come. Parents begin after the mark from which on all is lost, and
// a few wait for the blow in the middle of their fan-out.
type blow struct {
	marked, come chan struct{} // closed then
	still        atomic.Int64  // how many more may wait
}

// brood is how many children a parent stages at least, and the step from one parent's children to
// the next in ran.
const (
	brood    = 257
	maxBrood = 600
)

type (
	clanRoot   struct{ Parents int }
	clanParent struct{ Parent int }
	clanChild  struct{ Parent, Child int }
	clanNiece  clanChild // a child of another route
)

func (clanRoot) Kind() string   { return "root" }
func (clanParent) Kind() string { return "parent" }
func (clanChild) Kind() string  { return "child" }
func (clanNiece) Kind() string  { return "niece" }

// children is how many a parent has: what one call of Stage and a bit more carry, or of odd ones
// what several calls carry: the first for one route, the others for another, so that none of them
// would miss what the first one staged.
func (c *clan) children(parent int) int {
	if parent%2 == 1 {
		return maxBrood
	}
	return brood
}

func (c *clan) total() (n int64) {
	n = 1
	for i := range c.parents {
		n += 1 + int64(c.children(i))
	}
	return n
}

// brood are the children of a parent: those of one in four claim an ID, those of another are
// delayed now and then.
func (c *clan) brood(ctx context.Context, parent int) iter.Seq2[enqueue.Item, error] {
	return func(yield func(enqueue.Item, error) bool) {
		for i := range c.children(parent) {
			child := clanChild{parent, i}
			var opts *enqueue.Options
			switch parent % 4 {
			case 1:
				opts = &enqueue.Options{ID: fmt.Sprintf("%d/%d", parent, i)}
			case 2:
				if i%9 == 0 {
					opts = &enqueue.Options{Delay: time.Millisecond}
				}
			}
			item := enqueue.Task(child, opts)
			if i >= bounds.MaxBatch && parent%2 == 1 {
				item = enqueue.Task(clanNiece(child), opts)
			}
			if i == c.children(parent)/2 {
				c.attempts.add()
				c.await(ctx, parent)
			}
			if !yield(item, nil) {
				return
			}
		}
	}
}

// await has odd parents wait for a blow that is about to come.
func (c *clan) await(ctx context.Context, parent int) {
	b := c.blow.Load()
	if b != nil && parent%2 == 1 && b.still.Add(-1) >= 0 {
		wait(ctx, b.come)
	}
}

func wait(ctx context.Context, gate <-chan struct{}) {
	select {
	case <-gate:
	case <-ctx.Done():
	}
}

func (c *clan) registry() (*handlers.Registry, error) {
	s := handlers.NewSet("clan", handlers.SetConfig{Attributes: handlers.Attributes{
		MaxRetries: 1000, // the server is away at times
		Backoff:    handlers.Exponential{First: 5 * time.Millisecond, Factor: 1, Jitter: handlers.NoJitter},
	}})
	handlers.Handle(s, func(ctx context.Context, t *handlers.Task[clanRoot]) error {
		for i := range t.Args.Parents {
			if _, err := t.Enqueue(ctx, clanParent{i}, nil); err != nil {
				return err
			}
		}
		return nil
	}, nil)
	handlers.Handle(s, func(ctx context.Context, t *handlers.Task[clanParent]) error {
		if b := c.blow.Load(); b != nil {
			wait(ctx, b.marked)
		}
		_, err := t.EnqueueAll(ctx, c.brood(ctx, t.Args.Parent))
		return err
	}, nil)
	handlers.Handle(s, func(_ context.Context, t *handlers.Task[clanChild]) error {
		c.ran[t.Args.Parent*maxBrood+t.Args.Child].Store(true)
		return nil
	}, nil)
	handlers.Handle(s, func(_ context.Context, t *handlers.Task[clanNiece]) error {
		c.ran[t.Args.Parent*maxBrood+t.Args.Child].Store(true)
		return nil
	}, nil)
	return handlers.NewRegistry(s)
}

// stagedChildrenLost has a server lose what it acknowledged while many parents stage. In the end
// the run has all that its parents staged, no more, and of all of it nothing is left.
func stagedChildrenLost(t *testing.T) { eachLoss(t, loseStaged) }

func loseStaged(t *testing.T, f *forgetful, random *rand.Rand) {
	c := &clan{parents: 60}
	if lossRounds(t) > 1 {
		c.parents = 400
	} else {
		f.blows = 1
	}
	c.ran = make([]atomic.Bool, c.parents*maxBrood)
	reg, err := c.registry()
	require.NoError(t, err)
	namespace := redistest.Namespace()
	var ms []*syncjob.Manager
	for range 2 {
		opened, err := redisstore.Open(t.Context(), f.url, redisstore.Config{Namespace: namespace, SweepInterval: sweepInterval})
		require.NoError(t, err)
		t.Cleanup(func() { require.NoError(t, opened.Close()) })
		m, err := syncjob.New(opened, syncjob.Config{Registry: reg})
		require.NoError(t, err)
		t.Cleanup(func() { require.NoError(t, m.Close()) })
		ms = append(ms, m)
	}
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	run, err := ms[0].Start(ctx, syncjob.Job{Name: "clan", Set: "clan", Root: clanRoot{c.parents}}, nil)
	require.NoError(t, err)
	stop := staff(t, ms...)

	await := func(n int) {
		t.Helper()
		select {
		case <-c.attempts.more(n):
		case <-ctx.Done():
			t.Fatal("the parents do not go on")
		}
	}
	for range f.blows {
		await(2 + random.IntN(c.parents/10))
		b := &blow{marked: make(chan struct{}), come: make(chan struct{})}
		b.still.Store(4)
		c.blow.Store(b)
		f.mark()
		close(b.marked)
		await(1 + random.IntN(c.parents/10))
		f.lose()
		c.blow.Store(nil)
		close(b.come)
	}
	final, err := run.Wait(ctx)
	if err != nil {
		why, _ := run.Explain(t.Context())
		t.Fatalf("the run did not end: %v\n%v", err, why)
	}
	requireClan(t, c, final)
	stop()
	f.world(t, namespace, ms[0]).requireBalanced()
	require.NoError(t, run.Delete(ctx))
	requireNothingStaged(t, f, namespace)
}

// staff runs a worker of each manager until stop is called.
func staff(t *testing.T, ms ...*syncjob.Manager) (stop func()) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	group := lifecycle.New(t.Context())
	for _, m := range ms {
		w, err := m.NewWorker(syncjob.WorkerConfig{Concurrency: 8, Lease: 3 * shortLease})
		require.NoError(t, err)
		group.Go(func(context.Context) { _ = w.Run(ctx) })
	}
	stop = func() {
		cancel()
		group.Wait()
	}
	t.Cleanup(stop)
	return stop
}

// requireClan compares a run with what its handlers did.
func requireClan(t *testing.T, c *clan, final states.Run) {
	t.Helper()
	require.Equal(t, states.Succeeded, final.Status)
	require.Equal(t, states.Counts{Total: c.total(), Succeeded: c.total()}, final.Counts, "the root, its parents and all that they staged")
	for parent := range c.parents {
		for child := range c.children(parent) {
			require.True(t, c.ran[parent*maxBrood+child].Load(), "child %d of parent %d never ran", child, parent)
		}
	}
}

// requireNothingStaged requires that no staged list outlives its run.
func requireNothingStaged(t *testing.T, f *forgetful, namespace string) {
	t.Helper()
	client := f.serving().Client
	for cursor := uint64(0); ; {
		page, err := client.Do(t.Context(), client.B().Scan().Cursor(cursor).Match("*"+namespace+"*").Count(1000).Build()).AsScanEntry()
		require.NoError(t, err)
		for _, key := range page.Elements {
			require.False(t, strings.Contains(key, "}:S:") || strings.Contains(key, "}:stage:"), "%s is left", key)
		}
		if cursor = page.Cursor; cursor == 0 {
			return
		}
	}
}
