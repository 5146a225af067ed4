package syncjob_test

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/rollcall-go/rollcall/internal/redistest"
	"github.com/rollcall-go/rollcall/store"
	"github.com/rollcall-go/rollcall/store/memstore"
	"github.com/rollcall-go/rollcall/store/redisstore"
	"github.com/rollcall-go/rollcall/store/verdicts"
)

// wakePartitions is enough for jobs of one test to lie in several.
const wakePartitions = 4

// Who is not woken sleeps for late. So what begins at all was woken, however slow the machine is.
const (
	late     = time.Hour
	patience = 30 * time.Second
)

// retold is a store that notes which jobs fired since it told of them again, which it does 5 s
// after they began to wait: the end of what they waited for should have woken the worker.
type retold struct {
	store.Store

	mu    sync.Mutex
	waits map[string]bool // jobs that wait; true once they were told of again
	fired []string
}

func (r *retold) Promote(ctx context.Context, partition int) (store.PromoteReply, error) {
	reply, err := r.Store.Promote(ctx, partition)
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, job := range reply.Jobs {
		if _, ok := r.waits[job]; ok {
			r.waits[job] = true
		}
	}
	return reply, err
}

func (r *retold) FireRun(ctx context.Context, p store.FireParams) (store.FireReply, error) {
	reply, err := r.Store.FireRun(ctx, p)
	r.mu.Lock()
	defer r.mu.Unlock()
	job := p.Start.Job
	if reply.Verdict == verdicts.FireWaiting {
		r.waits[job] = false
		return reply, err
	}
	if r.waits[job] {
		r.fired = append(r.fired, job)
	}
	delete(r.waits, job)
	return reply, err
}

// transit plays a transition.
func transit(t *testing.T, s store.Store, c transition, registered, bubble bool) {
	w := sleep(t, s, c, registered, bubble)
	c.run(w)
	w.store.mu.Lock()
	defer w.store.mu.Unlock()
	require.Empty(t, w.store.fired, "only when the job was told of again")
}

func inMemory(t *testing.T, c transition, registered bool) {
	synctest.Test(t, func(t *testing.T) {
		s := memstore.New(&memstore.Options{Partitions: wakePartitions})
		transit(t, s, c, registered, true)
	})
}

func onRedis(t *testing.T, c transition, registered bool) {
	server, namespace := redistest.Shared(t)
	s, err := redisstore.Open(t.Context(), server.URL(), redisstore.Config{Namespace: namespace, Partitions: wakePartitions})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, s.Close()) })
	transit(t, s, c, registered, false)
}

func TestEveryTransitionWakesWhoCanRunIt(t *testing.T) {
	for _, on := range []struct {
		store string
		play  func(*testing.T, transition, bool)
	}{{"memory", inMemory}, {"Redis", onRedis}} {
		for _, c := range slices.Concat(transitions, limitTransitions) {
			for _, registered := range []bool{true, false} {
				who := "without a registry"
				if registered {
					who = "with a registry"
				}
				t.Run(fmt.Sprintf("%s/%s/%s", on.store, c.name, who), func(t *testing.T) {
					on.play(t, c, registered)
				})
			}
		}
	}
}
