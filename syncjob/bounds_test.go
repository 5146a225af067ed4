package syncjob_test

import (
	"context"
	"errors"
	"net"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/rollcall-go/rollcall/handlers"
	"github.com/rollcall-go/rollcall/internal/redistest"
	"github.com/rollcall-go/rollcall/store/redisstore"
	"github.com/rollcall-go/rollcall/syncjob"
)

// stopTime is how long a container has to stop.
const stopTime = 10 * time.Second

// silence is a server that accepts connections and never answers.
func silence(t *testing.T) string {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	t.Cleanup(func() { _ = listener.Close() })
	return listener.Addr().String()
}

func TestOpenEndsWithItsContextAndByItself(t *testing.T) {
	t.Parallel()
	url := "redis://" + silence(t)
	errOver := errors.New("over")
	ctx, cancel := context.WithCancelCause(t.Context())
	time.AfterFunc(200*time.Millisecond, func() { cancel(errOver) })
	start := time.Now()
	_, err := redisstore.Open(ctx, url, redisstore.Config{})
	require.ErrorIs(t, err, errOver)
	require.Less(t, time.Since(start), redisstore.OpenTime, "it does not go on to its own end")

	for _, url := range []string{url, "redis://127.0.0.1:1"} {
		start = time.Now()
		_, err = syncjob.Open(t.Context(), url, syncjob.Config{})
		require.ErrorIs(t, err, syncjob.ErrUnavailable)
		require.Less(t, time.Since(start), stopTime-2*time.Second)
	}
}

func every(redistest.Command) bool { return true }

// downs are ways in which a server is away, each beginning with the next command.
var downs = map[string]func(*testing.T, *redistest.Proxy, *redistest.Server){
	"silent": func(_ *testing.T, p *redistest.Proxy, _ *redistest.Server) {
		p.Inject(redistest.Fault{Kind: redistest.BlackHole, Match: every})
	},
	"silent to new connections": func(_ *testing.T, p *redistest.Proxy, _ *redistest.Server) {
		p.Inject(redistest.Fault{Kind: redistest.BlackHole, Match: every})
		p.CutAll()
	},
	"dead": func(_ *testing.T, _ *redistest.Proxy, server *redistest.Server) { server.Kill() },
	"loading": func(t *testing.T, _ *redistest.Proxy, server *redistest.Server) {
		require.NoError(t, server.Load(t.Context()))
	},
	"refusing": func(_ *testing.T, _ *redistest.Proxy, server *redistest.Server) {
		_ = server.Do(context.Background(), "REPLICAOF", "127.0.0.1", "1") // it is read-only then
	},
}

// TestCloseAndRunEndInTimeForAContainerWhateverTheServerDoes has a client that keeps a silent
// connection for an hour. It leaves room for a slow machine: what is promised is 3 s after the
// grace period, and 5 s.
func TestCloseAndRunEndInTimeForAContainerWhateverTheServerDoes(t *testing.T) {
	t.Parallel() // it waits
	for name, down := range downs {
		for situation, end := range map[string]func(*testing.T, *syncjob.Manager, *syncjob.Run, func()){
			"a worker drains":   drainAndClose,
			"a worker is ended": closeWithWorker,
			"a call is made":    closeWithCall,
		} {
			t.Run(name+"/"+situation, func(t *testing.T) {
				t.Parallel()
				server := redistest.Start(t, nil)
				proxy := redistest.NewProxy(t, server.Addr)
				url := proxy.URL() + "?write_timeout=1h&dial_timeout=1h"
				m, err := syncjob.Open(t.Context(), url, syncjob.Config{Registry: set(t, handlers.SetConfig{}, noop)})
				require.NoError(t, err)
				run, err := m.Start(t.Context(), syncjob.Job{Name: "a", Set: "tree", Open: true}, nil)
				require.NoError(t, err)
				end(t, m, run, func() { down(t, proxy, server) })
			})
		}
	}
}

// TestAServerThatLoadsIsAwaited restarts a server with a large dump under a worker and its calls.
func TestAServerThatLoadsIsAwaited(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t, nil)
	open := func() (*syncjob.Manager, error) {
		return syncjob.Open(t.Context(), server.URL(), syncjob.Config{Registry: set(t, handlers.SetConfig{}, noop)})
	}
	m, err := open()
	require.NoError(t, err)
	run, err := m.Start(t.Context(), syncjob.Job{Name: "a", Set: "tree", Open: true}, nil)
	require.NoError(t, err)
	stop := work(t, m, syncjob.WorkerConfig{})
	require.NoError(t, server.Load(t.Context()))

	_, err = open()
	require.ErrorIs(t, err, syncjob.ErrUnavailable)
	require.ErrorContains(t, err, "LOADING", "it says why")
	short, cancel := context.WithTimeout(t.Context(), 2*time.Second)
	defer cancel()
	_, err = run.State(short)
	require.ErrorIs(t, err, context.DeadlineExceeded)
	require.ErrorContains(t, err, "LOADING")
	enqueued := make(chan error, 1)
	go func() {
		_, err := run.Enqueue(t.Context(), leaf{}, nil)
		enqueued <- err
	}()

	require.NoError(t, server.FinishLoading(t.Context()))
	require.NoError(t, <-enqueued)
	require.NoError(t, run.Seal(t.Context()))
	final, err := run.Wait(t.Context())
	require.NoError(t, err)
	require.EqualValues(t, 1, final.Counts.Succeeded)
	require.NoError(t, stop())
	require.NoError(t, m.Close())
}

// timed requires that a part of the end takes no longer than it may, and tells how long it did.
func timed(t *testing.T, what string, part func()) time.Duration {
	start := time.Now()
	part()
	took := time.Since(start)
	t.Logf("%s returned after %v", what, took.Round(time.Millisecond))
	require.Less(t, took, stopTime-2*time.Second)
	return took
}

// goesAway has a worker run a task, and then the server go away under a call that its caller gives
// up.
func goesAway(t *testing.T, m *syncjob.Manager, run *syncjob.Run, down func()) (ended <-chan error, stop func()) {
	w, err := m.NewWorker(syncjob.WorkerConfig{Grace: 500 * time.Millisecond})
	require.NoError(t, err)
	ctx, stop := context.WithCancel(t.Context())
	t.Cleanup(stop)
	returned := make(chan error, 1)
	go func() { returned <- w.Run(ctx) }()
	_, err = run.Enqueue(t.Context(), leaf{}, nil)
	require.NoError(t, err)
	down()
	short, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	_, err = run.Enqueue(short, leaf{}, nil)
	require.Error(t, err)
	return returned, stop
}

func drainAndClose(t *testing.T, m *syncjob.Manager, run *syncjob.Run, down func()) {
	ended, stop := goesAway(t, m, run, down)
	ran := timed(t, "Run", func() {
		stop()
		if err := <-ended; err != nil {
			t.Logf("Run could not report: %v", err)
		}
	})
	closed := timed(t, "Close", func() { _ = m.Close() }) // what could not be said
	require.Less(t, ran+closed, stopTime)
}

func closeWithWorker(t *testing.T, m *syncjob.Manager, run *syncjob.Run, down func()) {
	ended, _ := goesAway(t, m, run, down)
	timed(t, "Close", func() { _ = m.Close() })
	require.ErrorIs(t, <-ended, syncjob.ErrClosed)
}

func closeWithCall(t *testing.T, m *syncjob.Manager, run *syncjob.Run, down func()) {
	down()
	called := make(chan error, 1)
	go func() {
		_, err := run.Enqueue(t.Context(), leaf{}, nil)
		called <- err
	}()
	short, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	_, err := run.Enqueue(short, leaf{}, nil)
	require.Error(t, err)
	timed(t, "Close", func() { _ = m.Close() })
	require.Error(t, <-called)
}
