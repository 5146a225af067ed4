package handlers_test

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/rollcall-go/rollcall/enqueue"
	"github.com/rollcall-go/rollcall/handlers"
	"github.com/rollcall-go/rollcall/internal/execute"
	"github.com/rollcall-go/rollcall/store"
	"github.com/rollcall-go/rollcall/store/bounds"
	"github.com/rollcall-go/rollcall/store/memstore"
	"github.com/rollcall-go/rollcall/store/statuses"
)

// session is the smallest worker there can be: a Runtime over a store.
type session struct {
	store.Store
	id     store.SessionID
	number int64
}

func (s *session) Stage(ctx context.Context, lease store.Lease, route store.Route, offset int, items []store.Item) error {
	return s.Store.Stage(ctx, store.StageParams{Session: s.id, Lease: lease, Route: route, Offset: offset, Items: items})
}

func (s *session) EnqueueNow(context.Context, store.RunID, string, enqueue.Item) (enqueue.Receipt, error) {
	return enqueue.Receipt{}, store.ErrClosed
}

func (s *session) Progress(store.Lease, *execute.Meter) {}

// round fetches what waits, runs it and settles it, and reports how much that was.
func (s *session) round(t *testing.T, r *handlers.Registry) int {
	t.Helper()
	s.number++
	var queues []store.FetchQueue
	for _, queue := range r.Queues() {
		queues = append(queues, store.FetchQueue{Queue: queue, Routes: r.Routes(queue)})
	}
	fetched, err := s.Fetch(t.Context(), store.FetchParams{Session: s.id, Number: s.number, Max: bounds.MaxBatch, Queues: queues})
	require.NoError(t, err)
	settle := store.SettleParams{Session: s.id, Number: s.number}
	for _, d := range fetched.Deliveries {
		settle.Outcomes = append(settle.Outcomes, r.Execute(t.Context(), d, execute.Config{Runtime: s}))
	}
	reply, err := s.Settle(t.Context(), settle)
	require.NoError(t, err)
	require.Empty(t, reply.Lost)
	return len(fetched.Deliveries)
}

func TestChildrenAppearWithTheSuccessOfTheirParentAllOrNone(t *testing.T) {
	for _, n := range []int{1, 128, 129, 5000} {
		synctest.Test(t, func(t *testing.T) {
			attempts := 0
			r := registry(t, handlers.SetConfig{}, func(ctx context.Context, task *handlers.Task[scanArgs]) error {
				_, err := task.EnqueueAll(ctx, files(n))
				require.NoError(t, err)
				if attempts++; attempts == 1 {
					return errBroken
				}
				return nil
			}, nil)
			mem := memstore.New(nil)
			root, err := enqueue.Encode(t.Context(), &enqueue.Config{Router: r}, "ingest", enqueue.Task(scanArgs{"root"}, nil))
			require.NoError(t, err)
			started, err := mem.StartRun(t.Context(), store.StartParams{
				Job: "import/42", Token: "t", Set: "ingest", Root: &root, Weight: 1, Retention: time.Hour, FailureCap: 10,
			})
			require.NoError(t, err)
			s := &session{Store: mem, id: store.SessionID{ID: "s"}}
			require.NoError(t, mem.OpenSession(t.Context(), s.id, store.WorkerInfo{}, time.Hour))

			require.Equal(t, 1, s.round(t, r))
			rec, err := mem.Run(t.Context(), started.Run)
			require.NoError(t, err)
			require.Equal(t, store.Counts{Total: 1, Delayed: 1}, rec.Counts, "the failed attempt left no children")

			time.Sleep(2 * time.Second)
			_, err = mem.Promote(t.Context(), 0)
			require.NoError(t, err)
			require.Equal(t, 1, s.round(t, r))
			rec, err = mem.Run(t.Context(), started.Run)
			require.NoError(t, err)
			require.Equal(t, store.Counts{Total: int64(n) + 1, Pending: int64(n), Succeeded: 1}, rec.Counts)

			for s.round(t, r) > 0 {
			}
			rec, err = mem.Run(t.Context(), started.Run)
			require.NoError(t, err)
			require.Equal(t, statuses.Succeeded, rec.Status)
			require.EqualValues(t, n+1, rec.Counts.Succeeded)
		})
	}
}
