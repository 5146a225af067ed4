package syncjob_test

import (
	"context"
	"fmt"
	"iter"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/rollcall-go/rollcall/handlers"
	"github.com/rollcall-go/rollcall/store"
	"github.com/rollcall-go/rollcall/store/memstore"
	"github.com/rollcall-go/rollcall/syncjob"
)

// shard is a store of which one partition does not answer when it is read: it fails, or it hangs.
type shard struct {
	store.Store
	dead  int // -1 for none
	hangs bool
}

func reads[R any](ctx context.Context, s *shard, partition int, call func() (R, error)) (R, error) {
	switch {
	case partition != s.dead:
		return call()
	case s.hangs:
		<-ctx.Done()
		return *new(R), ctx.Err()
	}
	return *new(R), store.Transient(errCut)
}

func (s *shard) ListJobs(ctx context.Context, p store.ListParams) (store.JobPage, error) {
	return reads(ctx, s, p.Partition, func() (store.JobPage, error) { return s.Store.ListJobs(ctx, p) })
}

func (s *shard) ListRuns(ctx context.Context, p store.RunsParams) (store.RunPage, error) {
	return reads(ctx, s, p.Partition, func() (store.RunPage, error) { return s.Store.ListRuns(ctx, p) })
}

func (s *shard) FailingRuns(ctx context.Context, p store.FailingRunsParams) ([]store.FailingRun, error) {
	return reads(ctx, s, p.Partition, func() ([]store.FailingRun, error) { return s.Store.FailingRuns(ctx, p) })
}

func (s *shard) ReadHistory(ctx context.Context, p store.HistoryParams) ([]store.HistoryPoint, error) {
	return reads(ctx, s, p.Partition, func() ([]store.HistoryPoint, error) { return s.Store.ReadHistory(ctx, p) })
}

func (s *shard) QueueStats(ctx context.Context, p int) ([]store.QueueRecord, error) {
	return reads(ctx, s, p, func() ([]store.QueueRecord, error) { return s.Store.QueueStats(ctx, p) })
}

func (s *shard) LiveSessions(ctx context.Context, p int) ([]store.SessionRecord, error) {
	return reads(ctx, s, p, func() ([]store.SessionRecord, error) { return s.Store.LiveSessions(ctx, p) })
}

func (s *shard) LostSessions(ctx context.Context, p int) ([]store.LostSession, error) {
	return reads(ctx, s, p, func() ([]store.LostSession, error) { return s.Store.LostSessions(ctx, p) })
}

func (s *shard) Pauses(ctx context.Context, p int) (store.PauseSet, error) {
	return reads(ctx, s, p, func() (store.PauseSet, error) { return s.Store.Pauses(ctx, p) })
}

// yielded counts what a sequence yields before its error.
func yielded[T any](all iter.Seq2[T, error]) (n int, err error) {
	for _, err = range all {
		if err == nil {
			n++
		}
	}
	return n, err
}

// sized counts the items of a list.
func sized[T any](list []T, err error) (int, error) { return len(list), err }

// listings are all that read every partition, each with how much it lists.
func listings(m *syncjob.Manager) map[string]func(ctx context.Context) (int, error) {
	return map[string]func(ctx context.Context) (int, error){
		"Jobs":          func(ctx context.Context) (int, error) { return yielded(m.Jobs(ctx, nil)) },
		"Runs":          func(ctx context.Context) (int, error) { return yielded(m.Runs(ctx, nil)) },
		"Failures":      func(ctx context.Context) (int, error) { return yielded(m.Failures(ctx, nil)) },
		"Queues":        func(ctx context.Context) (int, error) { return sized(m.Queues(ctx)) },
		"Activity":      func(ctx context.Context) (int, error) { return sized(m.Activity(ctx, nil)) },
		"Workers":       func(ctx context.Context) (int, error) { return sized(m.Workers(ctx)) },
		"Worker.States": func(ctx context.Context) (int, error) { return sized(m.Worker("w").States(ctx)) },
		"LostWorkers":   func(ctx context.Context) (int, error) { return sized(m.LostWorkers(ctx)) },
		"Pauses":        func(ctx context.Context) (int, error) { return sized(m.Pauses(ctx)) },
		"Mode": func(ctx context.Context) (int, error) {
			mode, err := m.Mode(ctx)
			return len(mode), err
		},
	}
}

func TestAPartitionThatDoesNotAnswerIsNamedBehindWhatTheOthersHave(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &shard{Store: memstore.New(&memstore.Options{Partitions: 4}), dead: -1}
		m := managerOn(t, s, set(t, handlers.SetConfig{}, func(context.Context, *handlers.Task[leaf]) error {
			return handlers.Permanent(errCut)
		}))
		stop := work(t, m, syncjob.WorkerConfig{Name: "w"})
		in := make(map[int]int) // jobs by partition
		for i := range 400 {
			job := syncjob.Job{Name: fmt.Sprint("job ", i), Set: "tree", Root: leaf{}}
			in[store.PartitionOf(job.Name, 4)]++
			_, err := m.Start(t.Context(), job, nil)
			require.NoError(t, err)
		}
		time.Sleep(time.Minute)
		require.NoError(t, m.Pause(t.Context(), syncjob.Scope{Kind: "leaf"}, "why not"))
		for i := range 8 {
			_, err := m.Start(t.Context(), syncjob.Job{Name: fmt.Sprint("waits ", i), Set: "tree", Root: leaf{}}, nil)
			require.NoError(t, err)
			in[store.PartitionOf(fmt.Sprint("waits ", i), 4)]++
		}
		whole := make(map[string]int)
		for name, list := range listings(m) {
			n, err := list(t.Context())
			require.NoError(t, err, name)
			whole[name] = n
		}
		require.Equal(t, 408, whole["Jobs"])
		require.Equal(t, 408, whole["Runs"])
		require.Equal(t, 400, whole["Failures"])

		for _, s.hangs = range []bool{false, true} {
			s.dead = 2
			for name, list := range listings(m) {
				begun := time.Now()
				n, err := list(t.Context())
				var partial *syncjob.PartialError
				require.ErrorAs(t, err, &partial, name)
				require.Equal(t, []int{2}, partial.Partitions, name)
				require.Equal(t, 4, partial.Of)
				require.ErrorContains(t, err, "1 of 4 partitions did not answer; partition 2: ")
				if !s.hangs {
					require.ErrorIs(t, err, errCut, name)
				}
				require.LessOrEqual(t, time.Since(begun), 3*time.Second, "%s waits for a dead partition", name)
				want := whole[name]
				switch name {
				case "Jobs", "Runs":
					want -= in[2]
				case "Mode":
					want = 0
				case "Failures":
					require.Less(t, n, want)
					want = n
				}
				require.Equal(t, want, n, name)
			}
			s.dead = -1
		}
		require.NoError(t, stop())
	})
}

func TestAListingWaitsForAStoreOfWhichNothingAnswers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &shard{Store: memstore.New(nil), dead: 0}
		m := managerOn(t, s, nil)
		for name, list := range listings(m) {
			begun := time.Now()
			_, err := list(t.Context())
			require.ErrorIs(t, err, errCut, name)
			require.InDelta(t, 30*time.Second, time.Since(begun), float64(2*time.Second), name)
			ctx, cancel := context.WithTimeout(t.Context(), time.Second)
			_, err = list(ctx)
			require.ErrorIs(t, err, context.DeadlineExceeded, name)
			cancel()
		}
	})
}

func TestPausesAreNotGivenUpForAPartitionThatIsSlow(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &slowPauses{Store: memstore.New(&memstore.Options{Partitions: 2})}
		m := managerOn(t, s, nil)
		require.NoError(t, m.Pause(t.Context(), syncjob.Scope{Queue: "q"}, "slowly"))
	})
}

// slowPauses takes long to pause a scope in a partition.
type slowPauses struct{ store.Store }

func (s *slowPauses) Pause(ctx context.Context, partition int, p store.Pause) error {
	if partition == 1 {
		time.Sleep(20 * time.Second)
	}
	return s.Store.Pause(ctx, partition, p)
}
