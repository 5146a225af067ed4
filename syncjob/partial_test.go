package syncjob_test

import (
	"context"
	"fmt"
	"iter"
	"reflect"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/rollcall-go/rollcall/handlers"
	"github.com/rollcall-go/rollcall/store"
	"github.com/rollcall-go/rollcall/store/memstore"
	"github.com/rollcall-go/rollcall/syncjob"
)

var withLimits = handlers.SetConfig{Attributes: handlers.Attributes{MaxRunning: 100, Rate: handlers.Rate{Events: 1000, Per: time.Second}}}

// shard is a store of which one partition does not answer when it is read: it fails, or it hangs.
type shard struct {
	store.Store
	dead  int // -1 for none
	hangs bool
}

func reads[R any](ctx context.Context, s *shard, partition int, call func() (R, error)) (R, error) {
	switch {
	case partition != s.dead || s.dead < 0:
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

func (s *shard) Audit(ctx context.Context, p store.AuditParams) ([]store.AuditLine, error) {
	return reads(ctx, s, p.Partition, func() ([]store.AuditLine, error) { return s.Store.Audit(ctx, p) })
}

func (s *shard) SemaphoreKeys(ctx context.Context, p store.KeysParams) ([]string, error) {
	return reads(ctx, s, p.Partition, func() ([]string, error) { return s.Store.SemaphoreKeys(ctx, p) })
}

func (s *shard) ListValues(ctx context.Context, p store.ValuesParams) (store.ValuesPage, error) {
	return reads(ctx, s, p.Partition, func() (store.ValuesPage, error) { return s.Store.ListValues(ctx, p) })
}

func (s *shard) Failures(ctx context.Context, p store.FailuresParams) ([]store.Failure, error) {
	in := store.PartitionOf(p.Run.Job, s.Partitions())
	return reads(ctx, s, in, func() ([]store.Failure, error) { return s.Store.Failures(ctx, p) })
}

func (s *shard) Limit(ctx context.Context, limit string) (store.LimitRecord, error) {
	in := store.PartitionOf(limit, s.Partitions())
	return reads(ctx, s, in, func() (store.LimitRecord, error) { return s.Store.Limit(ctx, limit) })
}

func (s *shard) Sets(ctx context.Context, p int) ([]store.SetRecord, error) {
	return reads(ctx, s, p, func() ([]store.SetRecord, error) { return s.Store.Sets(ctx, p) })
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
		"Limits":        func(ctx context.Context) (int, error) { return sized(m.Limits(ctx)) },
		"Sets":          func(ctx context.Context) (int, error) { return sized(m.Sets(ctx)) },
		"Audit":         func(ctx context.Context) (int, error) { return yielded(m.Audit(ctx, nil)) },
		"Semaphores":    func(ctx context.Context) (int, error) { return yielded(m.Semaphores(ctx, nil)) },
		"ListValues": func(ctx context.Context) (int, error) {
			return yielded(m.ListValues(ctx, store.NamespaceScope(0), nil))
		},
		"Pauses": func(ctx context.Context) (int, error) { return sized(m.Pauses(ctx)) },
		"Mode": func(ctx context.Context) (int, error) {
			mode, err := m.Mode(ctx)
			return len(mode), err
		},
	}
}

func TestAPartitionThatDoesNotAnswerIsNamedBehindWhatTheOthersHave(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &shard{Store: memstore.New(&memstore.Options{Partitions: 4}), dead: -1}
		m := managerOn(t, s, set(t, withLimits, func(context.Context, *handlers.Task[leaf]) error {
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
				case "Sets":
					require.Equal(t, 1, want)
					if store.PartitionOf("tree", 4) == 2 {
						want = 0
					}
				case "Mode":
					want = 0
				case "Failures", "Audit":
					require.LessOrEqual(t, n, want)
					want = n
				}
				require.Equal(t, want, n, name)
			}
			s.dead = -1
		}
		require.NoError(t, stop())
	})
}

// Whatever lists something of all partitions is asked above, so that none is forgotten.
func TestEachListingIsAskedWithAPartitionThatDoesNotAnswer(t *testing.T) {
	const aWrite, aJob, process = "changes something", "asks the partition of its job or set", "asks no partition"
	others := map[string]string{
		"History": aJob, "JobRuns": aJob, "NextRuns": aJob, "Watch": process, "ReleaseSemaphores": aWrite,
	}
	known := listings(nil)
	of := reflect.TypeFor[*syncjob.Manager]()
	for i := range of.NumMethod() {
		m := of.Method(i)
		out := m.Type.NumOut()
		if out == 0 {
			continue
		}
		first := m.Type.Out(0)
		if sequence := out == 1 && strings.HasPrefix(first.String(), "iter.Seq2"); sequence || out == 2 && first.Kind() == reflect.Slice {
			_, ok := known[m.Name]
			require.True(t, ok || others[m.Name] != "", "%s has no line in listings", m.Name)
		}
	}
}

// A partition that ends to answer between the list of runs and their failures is named, too.
func TestFailuresOfTheOthersAreListedThoughAPartitionEndsToAnswer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &shard{Store: memstore.New(&memstore.Options{Partitions: 4}), dead: -1}
		m := managerOn(t, s, set(t, withLimits, func(context.Context, *handlers.Task[leaf]) error {
			return handlers.Permanent(errCut)
		}))
		stop := work(t, m, syncjob.WorkerConfig{Name: "w"})
		for i := range 40 {
			_, err := m.Start(t.Context(), syncjob.Job{Name: fmt.Sprint("job ", i), Set: "tree", Root: leaf{}}, nil)
			require.NoError(t, err)
		}
		time.Sleep(time.Minute)
		for _, s.hangs = range []bool{false, true} {
			begun, left := time.Now(), make(map[int]int)
			var partial *syncjob.PartialError
			for f, err := range m.Failures(t.Context(), nil) {
				if err != nil {
					require.ErrorAs(t, err, &partial)
					break
				}
				in := store.PartitionOf(f.Job, 4)
				left[in]++
				s.dead = 2 // the runs of all partitions are listed by now
			}
			require.NotNil(t, partial)
			require.Equal(t, []int{2}, partial.Partitions)
			for i := range 40 {
				left[store.PartitionOf(fmt.Sprint("job ", i), 4)]--
			}
			for _, in := range []int{0, 1, 3} {
				require.Zero(t, left[in], "of partition %d", in)
			}
			require.LessOrEqual(t, time.Since(begun), 3*time.Second)
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
