package syncjob_test

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/rollcall-go/rollcall/enqueue"
	"github.com/rollcall-go/rollcall/handlers"
	"github.com/rollcall-go/rollcall/internal/redistest"
	"github.com/rollcall-go/rollcall/store/semaphore"
	"github.com/rollcall-go/rollcall/syncjob"
	"github.com/rollcall-go/rollcall/syncjob/cron"
)

const (
	rollProcesses = 3
	rollTasks     = 60
	rollTTL       = 5 * time.Second
	rollGrace     = 2 * time.Second
)

// turn is one time that a process held the gate. Grant and ended are by the server's clock, which
// is that of this machine.
type turn struct {
	process int
	fence   int64
	granted time.Time
	lease   *semaphore.Lease
	ended   time.Time // when the function under the gate returned; zero while it runs
}

// roller is what several processes in one have done.
type roller struct {
	mu    sync.Mutex
	turns []*turn

	began   [rollProcesses]atomic.Int64
	cut     [rollProcesses]atomic.Int64  // handlers whose context ended before they did
	works   [rollProcesses]chan struct{} // closed with the third task that it begins
	entered chan int                     // processes, as they get the gate
}

// rolled is a process: a worker under a gate under a scheduler, on a connection of its own.
type rolled struct {
	m     *syncjob.Manager
	proxy *redistest.Proxy
	stop  context.CancelFunc
	ended chan error

	stopped bool
}

func (r *roller) join(t *testing.T, server *redistest.Server, i int) *rolled {
	r.works[i] = make(chan struct{})
	p := &rolled{proxy: redistest.NewProxy(t, server.Addr), ended: make(chan error, 1)}
	reg := set(t, handlers.SetConfig{}, func(ctx context.Context, _ *handlers.Task[leaf]) error {
		if r.began[i].Add(1) == 3 {
			close(r.works[i])
		}
		select {
		case <-ctx.Done():
			r.cut[i].Add(1)
			return ctx.Err()
		case <-time.After(100 * time.Millisecond):
			return nil
		}
	})
	var err error
	p.m, err = syncjob.Open(t.Context(), p.proxy.URL(), syncjob.Config{Registry: reg})
	require.NoError(t, err)
	t.Cleanup(func() { _ = p.m.Close() })
	w, err := p.m.NewWorker(syncjob.WorkerConfig{Concurrency: 1, Grace: rollGrace, Lease: 5 * time.Second})
	require.NoError(t, err)
	gate := &semaphore.Gate{Semaphores: semaphore.New(p.m.Store()), Key: "one", TTL: rollTTL, Holder: fmt.Sprint("process ", i)}
	s, err := cron.New(p.m, cron.Config{}, cron.Runner{
		Name: "work", Trigger: cron.Trigger{Every: 100 * time.Millisecond}, Gate: gate,
		Run: func(ctx context.Context) error { return r.hold(ctx, i, w) },
	})
	require.NoError(t, err)
	ctx, stop := context.WithCancel(t.Context())
	p.stop = stop
	t.Cleanup(stop)
	go func() { p.ended <- s.Run(ctx) }()
	return p
}

func (r *roller) hold(ctx context.Context, i int, w *syncjob.Worker) error {
	lease, _ := semaphore.FromContext(ctx)
	now := &turn{process: i, fence: lease.Fence, granted: lease.Deadline().Add(-rollTTL), lease: lease}
	r.mu.Lock()
	r.turns = append(r.turns, now)
	r.mu.Unlock()
	r.entered <- i
	err := w.Run(ctx)
	r.mu.Lock()
	defer r.mu.Unlock()
	now.ended = time.Now()
	return err
}

// requireOneAtATime requires that nobody got the gate before the one before had returned, or its
// lease had ended by the server's clock.
func (r *roller) requireOneAtATime(t *testing.T) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for i, next := range r.turns[1:] {
		before := r.turns[i]
		require.Greater(t, next.fence, before.fence)
		free := before.lease.Deadline()
		if !before.ended.IsZero() && before.ended.Before(free) {
			free = before.ended.Truncate(time.Millisecond)
		}
		require.False(t, next.granted.Before(free), "process %d got the gate at %v, process %d had it until %v",
			next.process, next.granted, before.process, free)
	}
}

// TestARollingStopOfGatedWorkers stops processes one after the other, each while it holds the gate
// and works: first of all one whose server is well, dies, or is silent from that moment on. The
// others take over, and every task is done.
func TestARollingStopOfGatedWorkers(t *testing.T) {
	t.Parallel() // it waits for leases to end
	for name, disturb := range map[string]func(*redistest.Server, *rolled){
		"the server is well": func(*redistest.Server, *rolled) {},
		"it dies":            func(server *redistest.Server, _ *rolled) { server.Kill() },
		"it is silent": func(_ *redistest.Server, p *rolled) {
			p.proxy.Inject(redistest.Fault{Kind: redistest.BlackHole, Match: every})
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			server := redistest.Start(t, &redistest.Options{AOF: true})
			r := &roller{entered: make(chan int, 100)}
			processes := make([]*rolled, rollProcesses)
			for i := range processes {
				processes[i] = r.join(t, server, i)
			}
			watcher, err := syncjob.Open(t.Context(), server.URL(), syncjob.Config{})
			require.NoError(t, err)
			defer func() { require.NoError(t, watcher.Close()) }()
			run, err := watcher.Start(t.Context(), syncjob.Job{Name: "a", Set: "tree", Open: true}, nil)
			require.NoError(t, err)
			_, err = run.EnqueueAll(t.Context(), func(yield func(enqueue.Item, error) bool) {
				for i := range rollTasks {
					if !yield(enqueue.Task(leaf{I: i}, nil), nil) {
						return
					}
				}
			}, nil)
			require.NoError(t, err)
			require.NoError(t, run.Seal(t.Context()))

			r.stopHolder(t, server, processes, disturb)
			r.stopHolder(t, server, processes, func(*redistest.Server, *rolled) {})
			final, err := run.Wait(t.Context())
			require.NoError(t, err)
			require.EqualValues(t, rollTasks, final.Counts.Succeeded)
			for _, p := range processes {
				p.stop()
			}
			r.requireOneAtATime(t)
		})
	}
}

// holder waits until a process that was not stopped works under the gate. One that has got the gate
// may lose it, as when its server dies: then another one gets it and works.
func (r *roller) holder(t *testing.T, processes []*rolled) int {
	patience := time.After(time.Minute)
	for i := -1; ; {
		var works chan struct{}
		if i >= 0 && !processes[i].stopped {
			works = r.works[i]
		}
		select {
		case <-works:
			return i
		case i = <-r.entered:
		case <-patience:
			t.Fatalf("nobody works; %s", r)
		}
	}
}

// String tells who had the gate, and how many tasks each process began.
func (r *roller) String() string {
	r.mu.Lock()
	defer r.mu.Unlock()
	text := "turns:"
	for _, turn := range r.turns {
		text += fmt.Sprintf(" %d from %v until %v,", turn.process, turn.granted, turn.ended)
	}
	for i := range r.began {
		text += fmt.Sprintf(" process %d began %d tasks,", i, r.began[i].Load())
	}
	return text
}

// stopHolder stops the process that has the gate, once it works, and requires that it ends as it
// should.
func (r *roller) stopHolder(t *testing.T, server *redistest.Server, processes []*rolled, disturb func(*redistest.Server, *rolled)) {
	i := r.holder(t, processes)
	p := processes[i]
	disturb(server, p)
	p.stop()
	p.stopped = true
	began, start := r.began[i].Load(), time.Now()
	select {
	case err := <-p.ended:
		require.NoError(t, err, "nothing is stuck")
	case <-time.After(2 * stopTime):
		t.Fatalf("process %d does not end; %s", i, r)
	}
	took := time.Since(start)
	t.Logf("process %d ended after %v", i, took.Round(time.Millisecond))
	require.LessOrEqual(t, r.began[i].Load(), began+1, "only what its one slot was about to begin")
	require.Zero(t, r.cut[i].Load(), "what ran was waited for")
	require.Less(t, took, stopTime)
	if !server.Running() {
		server.Restart() // for the others
	}
}
