package syncjob_test

import (
	"context"
	"fmt"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/rollcall-go/rollcall/handlers"
	"github.com/rollcall-go/rollcall/store"
	"github.com/rollcall-go/rollcall/store/memstore"
	"github.com/rollcall-go/rollcall/syncjob"
	"github.com/rollcall-go/rollcall/syncjob/states"
)

// lossy answers one call of Stage in its own way, and passes all others on.
type lossy struct {
	store.Store
	nth   int64
	calls atomic.Int64
	err   error // nil: it says that the chunk is there, and it is not
}

func (s *lossy) Stage(ctx context.Context, p store.StageParams) error {
	if s.calls.Add(1) == s.nth {
		return s.err
	}
	return s.Store.Stage(ctx, p)
}

// A parent of which the store has lost something runs again, at once and at no cost. Whatever it
// was that was lost, the worker has it off its hands: under a limit of one task nothing else would
// run.
func TestAParentOfWhichTheStoreLostSomethingRunsAgainAtOnce(t *testing.T) {
	for _, lost := range []error{nil, store.ErrLeaseLost} {
		for nth := range int64(3) {
			t.Run(fmt.Sprintf("%v at chunk %d", lost, nth+1), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					s := &lossy{Store: memstore.New(nil), nth: nth + 1, err: lost}
					m := managerOn(t, s, set(t, handlers.SetConfig{Attributes: handlers.Attributes{MaxRunning: 1}}, noop))
					work(t, m, syncjob.WorkerConfig{})
					began := time.Now()
					run, err := m.Start(t.Context(), syncjob.Job{Name: "a", Set: "tree", Root: node{N: 600}}, nil)
					require.NoError(t, err)
					ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
					defer cancel()
					final, err := run.Wait(ctx)
					require.NoError(t, err, "the task was never given back")
					require.Equal(t, states.Succeeded, final.Status)
					require.Equal(t, states.Counts{Total: 601, Succeeded: 601}, final.Counts)
					require.Zero(t, final.Retried)
					require.Empty(t, final.LastError)
					require.Greater(t, s.calls.Load(), int64(3), "it ran again")
					require.Less(t, time.Since(began), time.Second)
				})
			})
		}
	}
}
