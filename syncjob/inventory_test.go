package syncjob_test

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"log/slog"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/rollcall-go/rollcall/handlers"
	"github.com/rollcall-go/rollcall/store"
	"github.com/rollcall-go/rollcall/store/memstore"
	"github.com/rollcall-go/rollcall/store/semaphore"
	"github.com/rollcall-go/rollcall/store/values"
	"github.com/rollcall-go/rollcall/syncjob"
	"github.com/rollcall-go/rollcall/syncjob/states"
)

// all collects what a sequence yields, and the error that ends it.
func all[T any](seq iter.Seq2[T, error]) (list []T, err error) {
	for v, err := range seq {
		if err != nil {
			return list, err
		}
		list = append(list, v)
	}
	return list, nil
}

// away is a store of which one partition does not answer to listings, and one semaphore to nothing.
type away struct {
	store.Store
	partition int
}

var errAway = store.Transient(errors.New("the server is away"))

func (a *away) SemaphoreKeys(ctx context.Context, p store.KeysParams) ([]string, error) {
	if p.Partition == a.partition {
		return nil, errAway
	}
	return a.Store.SemaphoreKeys(ctx, p)
}

func (a *away) ListValues(ctx context.Context, p store.ValuesParams) (store.ValuesPage, error) {
	if p.Partition == a.partition {
		return store.ValuesPage{}, errAway
	}
	return a.Store.ListValues(ctx, p)
}

func (a *away) Limit(ctx context.Context, limit string) (store.LimitRecord, error) {
	if store.PartitionOf(limit, a.Partitions()) == a.partition {
		return store.LimitRecord{}, errAway
	}
	return a.Store.Limit(ctx, limit)
}

func hold(t *testing.T, s store.Store, key string, opts *semaphore.Options) *semaphore.Lease {
	t.Helper()
	lease, err := semaphore.New(s).TryAcquire(t.Context(), key, opts)
	require.NoError(t, err)
	return lease
}

func TestSemaphoresAreListedWithWhoHoldsThemAndWhoWaits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := memstore.New(&memstore.Options{Partitions: 4})
		m := managerOn(t, s, nil)
		var want []string
		for i := range 50 {
			key := fmt.Sprintf("lock/%02d", i)
			hold(t, s, key, &semaphore.Options{Holder: "a"})
			want = append(want, key)
		}
		hold(t, s, "loch", nil)
		hold(t, s, "lock0", nil)
		for i := range 3 {
			go func() {
				time.Sleep(time.Duration(i) * time.Second)
				_, _ = semaphore.New(s).Acquire(t.Context(), "lock/07", &semaphore.Options{
					Holder: fmt.Sprint("waits ", i), Exclusive: i == 1, TTL: time.Minute,
				})
			}()
		}
		time.Sleep(3 * time.Second)
		states, err := all(m.Semaphores(t.Context(), &syncjob.SemaphoresOptions{Prefix: "lock/"}))
		require.NoError(t, err)
		var keys []string
		for _, s := range states {
			require.Len(t, s.Holders, 1)
			require.Equal(t, "a", s.Holders[0].Holder)
			require.Equal(t, semaphore.DefaultTTL, s.Holders[0].Expires.Sub(s.Holders[0].Acquired))
			keys = append(keys, s.Key)
		}
		require.Equal(t, want, keys)
		line := states[7].Waiters
		require.Len(t, line, 3)
		for i, w := range line {
			require.Equal(t, fmt.Sprint("waits ", i), w.Holder)
			require.Equal(t, i == 1, w.Exclusive)
			require.Equal(t, states[7].Holders[0].Acquired.Add(time.Duration(i)*time.Second), w.Since)
			require.True(t, w.Expires.After(time.Now()))
		}
		for _, limit := range []int{1, 7, 16, 17, 200} {
			keys = nil
			for after := ""; ; {
				page, err := all(m.Semaphores(t.Context(), &syncjob.SemaphoresOptions{Prefix: "lock/", After: after, Limit: limit}))
				require.NoError(t, err)
				for _, s := range page {
					keys = append(keys, s.Key)
				}
				if len(page) < limit {
					break
				}
				after = page[limit-1].Key
			}
			require.Equal(t, want, keys, "pages of %d", limit)
		}
		_, err = all(m.Semaphores(t.Context(), &syncjob.SemaphoresOptions{Limit: -1}))
		require.Equal(t, []string{"Limit"}, fields(err))
		everything, err := all(m.Semaphores(t.Context(), nil))
		require.NoError(t, err)
		require.Len(t, everything, 52)
	})
}

func TestAnOperatorReleasesAllOfAPrefixAndWaitersMoveUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := memstore.New(&memstore.Options{Partitions: 4})
		log := newRecorded()
		m, err := syncjob.New(s, syncjob.Config{Logger: slog.New(log)})
		require.NoError(t, err)
		t.Cleanup(func() { require.NoError(t, m.Close()) })
		var held []*semaphore.Lease
		for i := range 20 {
			held = append(held, hold(t, s, fmt.Sprint("import/", i%10), &semaphore.Options{Max: 2, TTL: time.Hour}))
		}
		other := hold(t, s, "export/1", &semaphore.Options{TTL: time.Hour})
		served := make(chan *semaphore.Lease, 1)
		go func() {
			lease, err := semaphore.New(s).Acquire(t.Context(), "import/3", &semaphore.Options{Max: 2, TTL: time.Hour})
			if err == nil {
				served <- lease
			}
		}()
		synctest.Wait()
		ctx := syncjob.WithActor(t.Context(), "ann")
		for _, bad := range []struct{ prefix, reason, field string }{
			{"", "", "Prefix"}, {"import/", strings.Repeat("r", 1025), "Reason"}, {"import/", "\xff", "Reason"},
		} {
			_, err := m.ReleaseSemaphores(ctx, bad.prefix, bad.reason, nil)
			require.Equal(t, []string{bad.field}, fields(err))
		}
		dry, err := m.ReleaseSemaphores(ctx, "import/", "stuck", &syncjob.ReleaseOptions{DryRun: true})
		require.NoError(t, err)
		require.Len(t, dry, 10)
		for _, l := range held {
			require.NoError(t, l.Refresh(ctx), "a dry run releases nothing")
		}
		done, err := m.ReleaseSemaphores(ctx, "import/", "stuck", nil)
		require.NoError(t, err)
		require.Len(t, done, 10)
		for i, s := range done {
			require.Equal(t, fmt.Sprint("import/", i), s.Key)
			require.Len(t, s.Holders, 2)
		}
		require.Len(t, done[3].Waiters, 1)
		for _, l := range held {
			require.ErrorIs(t, l.Refresh(ctx), store.ErrLeaseLost)
		}
		require.NoError(t, other.Refresh(ctx))
		require.NoError(t, (<-served).Refresh(ctx), "who waited has a lease now")
		told := 0
		for _, r := range log.list {
			if r.message == "semaphore released" {
				told++
				require.Contains(t, r.text, "leases=2 by=ann reason=stuck")
			}
		}
		require.Equal(t, 10, told)
		again, err := m.ReleaseSemaphores(ctx, "import/", "stuck", nil)
		require.NoError(t, err)
		require.Len(t, again, 1, "it releases what is held now")
	})
}

// losesReleases is a store that does what it is asked to when leases are to end, and says that it is
// away.
type losesReleases struct {
	store.Store
	lost bool
}

func (s *losesReleases) ForceReleaseSemaphore(ctx context.Context, key string, first, last int64) (int, error) {
	n, err := s.Store.ForceReleaseSemaphore(ctx, key, first, last)
	if !s.lost {
		s.lost = true
		synctest.Wait() // who waits has it now
		return 0, errAway
	}
	return n, err
}

func TestAReleaseWhoseReplyIsLostTakesNothingFromWaiters(t *testing.T) {
	for name, release := range map[string]func(ctx context.Context, s store.Store) error{
		"of a prefix": func(ctx context.Context, s store.Store) error {
			m, err := syncjob.New(s, syncjob.Config{})
			if err == nil {
				_, err = m.ReleaseSemaphores(ctx, "k", "", nil)
				err = errors.Join(err, m.Close())
			}
			return err
		},
		"of one": func(ctx context.Context, s store.Store) error {
			_, err := semaphore.New(s).ForceReleaseAll(ctx, "key")
			return err
		},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := memstore.New(nil)
				hold(t, s, "key", &semaphore.Options{TTL: time.Hour})
				served := make(chan *semaphore.Lease, 1)
				go func() {
					lease, err := semaphore.New(s).Acquire(t.Context(), "key", &semaphore.Options{TTL: time.Hour})
					if err == nil {
						served <- lease
					}
				}()
				synctest.Wait()
				require.NoError(t, release(t.Context(), &losesReleases{Store: s}))
				require.NoError(t, (<-served).Refresh(t.Context()))
			})
		})
	}
}

func TestAPartitionThatIsAwayIsNamedAndTheOthersAreListed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := memstore.New(&memstore.Options{Partitions: 4})
		direct := managerOn(t, s, nil)
		here, there := 0, 0
		for i := range 40 {
			key := fmt.Sprint("k", i)
			if hold(t, s, key, &semaphore.Options{TTL: time.Hour}); store.PartitionOf(key, 4) == 2 {
				there++
			} else {
				here++
			}
			require.NoError(t, values.NewCounter(direct.Values(), store.NamespaceScope(0), key).Set(t.Context(), 1))
		}
		require.Positive(t, there)
		m := managerOn(t, &away{s, 2}, nil)
		states, err := all(m.Semaphores(t.Context(), nil))
		require.ErrorIs(t, err, store.ErrUnavailable)
		var partial *syncjob.PartialError
		require.ErrorAs(t, err, &partial)
		require.Equal(t, []int{2}, partial.Partitions)
		require.Len(t, states, here)
		listed, err := all(m.ListValues(t.Context(), store.NamespaceScope(0), nil))
		require.ErrorIs(t, err, store.ErrUnavailable)
		require.ErrorContains(t, err, "partition 2")
		require.Len(t, listed, here)
		released, err := m.ReleaseSemaphores(t.Context(), "k", "", nil)
		require.ErrorIs(t, err, store.ErrUnavailable)
		require.Len(t, released, here)
		left, err := all(direct.Semaphores(t.Context(), nil))
		require.NoError(t, err)
		require.Len(t, left, there)
	})
}

func TestValuesAreListedByPages(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := memstore.New(&memstore.Options{Partitions: 4})
		m := managerOn(t, s, set(t, handlers.SetConfig{}, noop))
		run, err := m.Start(t.Context(), syncjob.Job{Name: "job", Set: "tree", Open: true}, nil)
		require.NoError(t, err)
		for what, scope := range map[string]store.ValueScope{
			"run": store.RunScope(run.ID()), "job": store.JobScope("job"), "namespace": store.NamespaceScope(time.Hour),
		} {
			want := 0
			for i := range 30 {
				c := m.Values()
				require.NoError(t, values.NewCounter(c, scope, fmt.Sprint("n", i)).Set(t.Context(), 10))
				require.NoError(t, values.NewValue[string](c, scope, fmt.Sprint("v", i)).Set(t.Context(), "text"))
				if want += 2; what == "run" { // its counters have names of their own
					require.NoError(t, values.NewValue[string](c, scope, fmt.Sprint("n", i)).Set(t.Context(), "text"))
					want++
				}
			}
			full, err := all(m.ListValues(t.Context(), scope, nil))
			require.NoError(t, err)
			require.Len(t, full, want, what)
			require.True(t, slices.IsSortedFunc(full, func(a, b states.Value) int { return strings.Compare(a.Name, b.Name) }))
			for _, v := range full {
				require.Equal(t, map[store.ValueType]int64{store.ValueCounter: 2, store.ValueJSON: 6}[v.Type], v.Size)
				require.Equal(t, what == "namespace", !v.Expires.IsZero())
			}
			for _, limit := range []int{1, 2, 7, 1000} {
				var paged []states.Value
				for after := ""; ; {
					page, err := all(m.ListValues(t.Context(), scope, &syncjob.ValuesOptions{After: after, Limit: limit}))
					require.NoError(t, err)
					if paged = append(paged, page...); len(page) < limit {
						break
					}
					after = page[limit-1].Cursor
				}
				require.Equal(t, full, paged, "%s by pages of %d", what, limit)
			}
			some, err := all(m.ListValues(t.Context(), scope, &syncjob.ValuesOptions{Prefix: "v1"}))
			require.NoError(t, err)
			require.Len(t, some, 11)
		}
		_, err = all(m.ListValues(t.Context(), store.JobScope("nobody"), nil))
		require.ErrorIs(t, err, syncjob.ErrJobNotFound)
		_, err = all(m.ListValues(t.Context(), store.ValueScope{}, &syncjob.ValuesOptions{Limit: 1}))
		require.Equal(t, []string{"Scope.Of"}, fields(err))
	})
}

func TestLimitsAreListedWithWhoUsesThemAndWhoWaits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := memstore.New(&memstore.Options{Partitions: 4})
		reg := limited(t, handlers.SetConfig{}, handlers.Attributes{
			MaxRunning: 3, MaxRunningPerJob: 2, Rate: handlers.Rate{Events: 50, Per: time.Second},
		}, sleeping(time.Hour))
		for i := range 3 {
			m := managerOn(t, s, reg)
			work(t, m, syncjob.WorkerConfig{Name: fmt.Sprint("w", i), Concurrency: 4})
			if i == 0 {
				start(t, m, 4, 10)
			}
		}
		time.Sleep(time.Minute)
		operator := managerOn(t, s, nil)
		limits, err := operator.Limits(t.Context())
		require.NoError(t, err)
		require.Len(t, limits, 1)
		l := limits[0]
		require.Equal(t, states.Limit{
			Set: "tree", Kind: "leaf", MaxRunning: 3, MaxRunningPerJob: 2, Rate: handlers.Rate{Events: 50, Per: time.Second, Burst: l.Rate.Burst},
		}, l.Limit)
		require.Equal(t, 3, l.Held)
		held, waiting := 0, 0
		for i, u := range l.Users {
			require.Regexp(t, `^w\d$`, u.Worker)
			require.False(t, u.Silent)
			held += u.Held
			if !u.Since.IsZero() {
				waiting++
				require.Greater(t, u.Want, u.Held)
				require.Equal(t, waiting, i+1, "those that wait come first")
			}
		}
		require.Equal(t, 3, held)
		require.Positive(t, waiting)
		workers, err := operator.Workers(t.Context())
		require.NoError(t, err)
		busy := 0
		for _, w := range workers {
			require.Equal(t, 4, w.Busy+w.Idle)
			require.Len(t, w.Running, w.Busy)
			busy += w.Busy
		}
		require.Equal(t, 3, busy)
		limits, err = managerOn(t, &away{s, store.PartitionOf("running:tree/leaf", 4)}, nil).Limits(t.Context())
		require.ErrorIs(t, err, store.ErrUnavailable)
		require.Len(t, limits, 1, "what it allows is known all the same")
		require.Zero(t, limits[0].Held)
	})
}
