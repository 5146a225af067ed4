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
	require.Less(t, time.Since(start), time.Second)

	for _, url := range []string{url, "redis://127.0.0.1:1"} {
		start = time.Now()
		_, err = syncjob.Open(t.Context(), url, syncjob.Config{})
		require.ErrorIs(t, err, syncjob.ErrUnavailable)
		require.Less(t, time.Since(start), redisstore.OpenTime+time.Second)
	}
}

// downs are ways in which a server is away, each beginning with the next command.
var downs = map[string]func(p *redistest.Proxy, server *redistest.Server){
	"silent": func(p *redistest.Proxy, _ *redistest.Server) { p.Inject(redistest.Fault{Kind: redistest.BlackHole}) },
	"dead":   func(_ *redistest.Proxy, server *redistest.Server) { server.Kill() },
	"refusing": func(_ *redistest.Proxy, server *redistest.Server) {
		_ = server.Do(context.Background(), "REPLICAOF", "127.0.0.1", "1") // it is read-only then
	},
}

func TestCloseAndRunEndInTimeForAContainerWhateverTheServerDoes(t *testing.T) {
	for name, down := range downs {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			server := redistest.Start(t, nil)
			proxy := redistest.NewProxy(t, server.Addr)
			m, err := syncjob.Open(t.Context(), proxy.URL(), syncjob.Config{Registry: set(t, handlers.SetConfig{}, noop)})
			require.NoError(t, err)
			run, err := m.Start(t.Context(), syncjob.Job{Name: "a", Set: "tree", Open: true}, nil)
			require.NoError(t, err)
			w, err := m.NewWorker(syncjob.WorkerConfig{Grace: 500 * time.Millisecond})
			require.NoError(t, err)
			ctx, stop := context.WithCancel(t.Context())
			ended := make(chan error, 1)
			go func() { ended <- w.Run(ctx) }()
			_, err = run.Enqueue(t.Context(), leaf{}, nil)
			require.NoError(t, err)

			down(proxy, server)
			short, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
			defer cancel()
			_, err = run.Enqueue(short, leaf{}, nil)
			require.Error(t, err, "its caller gives up")
			start := time.Now()
			stop()
			if err := <-ended; err != nil {
				t.Logf("Run could not report: %v", err)
			}
			ran := time.Since(start)
			start = time.Now()
			_ = m.Close() // what could not be said
			closed := time.Since(start)
			t.Logf("Run returned after %v, Close after %v", ran.Round(time.Millisecond), closed.Round(time.Millisecond))
			require.Less(t, ran, stopTime-time.Second)
			require.Less(t, closed, stopTime-time.Second)
			require.Less(t, ran+closed, stopTime)
		})
	}
}
