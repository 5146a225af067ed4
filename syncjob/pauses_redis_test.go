package syncjob_test

import (
	"context"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/rollcall-go/rollcall/handlers"
	"github.com/rollcall-go/rollcall/internal/redistest"
	"github.com/rollcall-go/rollcall/store/redisstore"
	"github.com/rollcall-go/rollcall/syncjob"
)

// The workers look by themselves only once an hour: what starts at all was signalled.
func TestAResumeWakesWorkersOverRedis(t *testing.T) {
	server, namespace := redistest.Shared(t)
	s, err := redisstore.Open(t.Context(), server.URL(), redisstore.Config{Namespace: namespace, Partitions: wakePartitions})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, s.Close()) })
	began := make(chan time.Time, 1)
	m := managerOn(t, s, set(t, handlers.SetConfig{}, func(context.Context, *handlers.Task[leaf]) error {
		began <- time.Now()
		return nil
	}))
	for range 2 {
		c := syncjob.WorkerConfig{Concurrency: 2}
		c.PollEvery(late)
		work(t, m, c)
	}
	run, err := m.Start(t.Context(), syncjob.Job{Name: "a", Set: "tree", Open: true}, nil)
	require.NoError(t, err)
	begins := func() time.Time {
		t.Helper()
		select {
		case at := <-began:
			return at
		case <-time.After(patience):
			t.Fatal("nobody was woken")
			return time.Time{}
		}
	}
	scopes := []syncjob.Scope{{Queue: "default"}, {Set: "tree"}, {Kind: "leaf"}, {Queue: "default", Set: "tree", Kind: "leaf"}}
	var took []time.Duration
	for i := range 200 {
		scope := scopes[i%len(scopes)]
		require.NoError(t, m.Pause(t.Context(), scope, "because"))
		_, err := run.Enqueue(t.Context(), leaf{}, nil)
		require.NoError(t, err)
		require.Empty(t, began)
		resumed := time.Now()
		require.NoError(t, m.Resume(t.Context(), scope))
		took = append(took, begins().Sub(resumed))
	}
	slices.Sort(took)
	t.Logf("from the call of Resume to the first start: median %v, p99 %v, longest %v",
		took[len(took)/2], took[len(took)*99/100], took[len(took)-1])
}
