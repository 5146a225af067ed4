package syncjob_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/rollcall-go/rollcall/handlers"
	"github.com/rollcall-go/rollcall/store"
	"github.com/rollcall-go/rollcall/store/memstore"
	"github.com/rollcall-go/rollcall/syncjob"
	"github.com/rollcall-go/rollcall/syncjob/events"
)

// reach is within what a change reaches every worker.
const reach = time.Second

// timeouts is a registry whose leaves tell their timeout.
func timeouts(t *testing.T, cfg handlers.SetConfig, seen chan<- time.Duration) *handlers.Registry {
	return set(t, cfg, func(ctx context.Context, _ *handlers.Task[leaf]) error {
		var timeout time.Duration
		if deadline, ok := ctx.Deadline(); ok {
			timeout = time.Until(deadline)
		}
		seen <- timeout
		return nil
	})
}

func withTimeout(d time.Duration) func(*syncjob.Configuration) error {
	return func(c *syncjob.Configuration) error {
		c.Kind("leaf").Timeout = d
		return nil
	}
}

func standing(t *testing.T, m *syncjob.Manager, job syncjob.Job) *syncjob.Run {
	t.Helper()
	job.Set, job.Open = "tree", true
	run, err := m.Start(t.Context(), job, nil)
	require.NoError(t, err)
	return run
}

func TestAChangeReachesTheNextAttemptOfEveryWorkerWithinASecond(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		shared := memstore.New(nil)
		a, b := make(chan time.Duration, 1), make(chan time.Duration, 1)
		ma := managerOn(t, shared, timeouts(t, handlers.SetConfig{Attributes: handlers.Attributes{Timeout: 10 * time.Second}}, a))
		mb := managerOn(
			t, &asks{Store: shared, delay: reach / 2},
			timeouts(t, handlers.SetConfig{Attributes: handlers.Attributes{Timeout: 10 * time.Second}}, b),
		)
		operator := managerOn(t, shared, nil)
		stop := work(t, ma, syncjob.WorkerConfig{Concurrency: 1})
		run := standing(t, operator, syncjob.Job{Name: "a"})
		next := func(seen <-chan time.Duration) time.Duration {
			_, err := run.Enqueue(t.Context(), leaf{}, nil)
			require.NoError(t, err)
			return <-seen
		}
		require.Equal(t, 10*time.Second, next(a))
		synctest.Wait() // until the worker has published the set, too

		is, err := operator.Configure(t.Context(), "tree", nil, withTimeout(100*time.Millisecond))
		require.NoError(t, err)
		require.Equal(t, int64(1), is.Version)
		time.Sleep(reach)
		require.Equal(t, 100*time.Millisecond, next(a))
		require.NoError(t, stop())
		work(t, mb, syncjob.WorkerConfig{Concurrency: 1})
		require.Equal(t, 100*time.Millisecond, next(b), "a worker that starts never goes by its code alone")

		require.NoError(t, operator.ResetConfiguration(t.Context(), "tree", nil))
		time.Sleep(2 * reach) // its store is slow
		require.Equal(t, 10*time.Second, next(b))
	})
}

func TestAChangeIsMadeOnlyOfTheVersionItWasDecidedOn(t *testing.T) {
	m := manager(t, set(t, handlers.SetConfig{}, noop))
	ctx := t.Context()
	is, err := m.Configuration(ctx, "tree", nil)
	require.NoError(t, err)
	require.Equal(t, syncjob.SetConfiguration{Set: "tree"}, is)
	_, err = m.Configure(ctx, "tree", &syncjob.ConfigureOptions{IfVersion: 1}, withTimeout(1))
	require.ErrorIs(t, err, syncjob.ErrConflict)
	is, err = m.Configure(ctx, "tree", &syncjob.ConfigureOptions{IfVersion: syncjob.NotConfigured}, withTimeout(1))
	require.NoError(t, err)
	require.Equal(t, int64(1), is.Version)
	_, err = m.Configure(ctx, "tree", &syncjob.ConfigureOptions{IfVersion: syncjob.NotConfigured}, withTimeout(2))
	require.ErrorIs(t, err, syncjob.ErrConflict)
	require.ErrorIs(t, m.ResetConfiguration(ctx, "tree", &syncjob.ConfigureOptions{IfVersion: 7}), syncjob.ErrConflict)

	// Without a version, whoever was faster is read again.
	times := 0
	is, err = m.Configure(ctx, "tree", nil, func(c *syncjob.Configuration) error {
		if times++; times <= 2 {
			_, err := m.Configure(ctx, "tree", nil, func(c *syncjob.Configuration) error { c.Set.MaxRetries += 10; return nil })
			require.NoError(t, err)
		}
		c.Set.MaxRetries++
		return nil
	})
	require.NoError(t, err)
	require.Equal(t, 3, times)
	require.Equal(t, 21, is.Configuration.Set.MaxRetries)
	got, err := m.Configuration(ctx, "tree", nil)
	require.NoError(t, err)
	require.Equal(t, is, got)

	// With one, it is a conflict.
	_, err = m.Configure(ctx, "tree", &syncjob.ConfigureOptions{IfVersion: got.Version}, func(c *syncjob.Configuration) error {
		_, err := m.Configure(ctx, "tree", nil, withTimeout(9))
		require.NoError(t, err)
		c.Set.MaxRetries = 1
		return nil
	})
	require.ErrorIs(t, err, syncjob.ErrConflict)

	before, err := m.Configuration(ctx, "tree", nil)
	require.NoError(t, err)
	after, err := m.Configure(ctx, "tree", nil, func(*syncjob.Configuration) error { return nil })
	require.NoError(t, err)
	require.Equal(t, before, after, "what changes nothing is no change")
	_, err = m.Configure(ctx, "tree", nil, func(c *syncjob.Configuration) error { c.Set.Timeout = 1; return errBad })
	require.Equal(t, errBad, err)
	after, err = m.Configuration(ctx, "tree", nil)
	require.NoError(t, err)
	require.Equal(t, before, after)
}

var errBad = errors.New("not that way")

func TestWhatCannotBeConfiguredIsRefusedAndNothingIsWritten(t *testing.T) {
	m := manager(t, set(t, handlers.SetConfig{}, noop))
	ctx := t.Context()
	run := standing(t, m, syncjob.Job{Name: "a"})
	for field, test := range map[string]struct {
		set  string
		opts *syncjob.ConfigureOptions
		edit func(c *syncjob.Configuration)
	}{
		`Kinds["leaf"].Timeout`:    {"tree", nil, func(c *syncjob.Configuration) { c.Kind("leaf").Timeout = -5 }},
		`Kinds["leef"]`:            {"tree", nil, func(c *syncjob.Configuration) { c.Kind("leef").Timeout = 5 }},
		"Set.BackoffFor":           {"tree", nil, func(c *syncjob.Configuration) { c.Set.BackoffFor = func(*handlers.Attempt) time.Duration { return 1 } }},
		"Set":                      {"three", nil, func(*syncjob.Configuration) {}},
		"By":                       {"tree", &syncjob.ConfigureOptions{By: "\xff"}, func(c *syncjob.Configuration) { c.Set.Timeout = 5 }},
		"Set.Queue":                {"tree", &syncjob.ConfigureOptions{Run: run}, func(c *syncjob.Configuration) { c.Set.Queue = "q" }},
		`Kinds["leaf"].MaxRunning`: {"tree", &syncjob.ConfigureOptions{Run: run}, func(c *syncjob.Configuration) { c.Kind("leaf").MaxRunning = 1 }},
		"Run":                      {"other", &syncjob.ConfigureOptions{Run: run}, func(*syncjob.Configuration) {}},
		"Set.Script":               {"tree", nil, func(c *syncjob.Configuration) { c.Set.Script = "x" }},
	} {
		_, err := m.Configure(ctx, test.set, test.opts, func(c *syncjob.Configuration) error { test.edit(c); return nil })
		var bad *syncjob.FieldError
		require.ErrorAs(t, err, &bad, field)
		require.Equal(t, field, bad.Field)
	}
	for _, opts := range []*syncjob.ConfigurationOptions{nil, {Run: run}} {
		is, err := m.Configuration(ctx, "tree", opts)
		require.NoError(t, err)
		require.Equal(t, syncjob.SetConfiguration{Set: "tree"}, is)
	}
	_, err := m.Configure(ctx, "tree", nil, nil)
	require.ErrorIs(t, err, syncjob.ErrInvalid)
	gone := m.Run("a", 1)
	_, err = m.Configure(ctx, "tree", &syncjob.ConfigureOptions{Run: gone}, withTimeout(1))
	require.ErrorIs(t, err, syncjob.ErrRunNotFound)
	require.NoError(t, run.Stop(ctx, nil))
	_, err = m.Configure(ctx, "tree", &syncjob.ConfigureOptions{Run: run}, withTimeout(1))
	require.ErrorIs(t, err, syncjob.ErrRunFinished)

	var c syncjob.Configuration
	c.Kind("leef").Queue = "q"
	_, err = m.Start(ctx, syncjob.Job{Name: "b", Set: "tree", Root: node{}, Configuration: &c}, nil)
	require.ErrorContains(t, err, `Configuration.Kinds["leef"].Queue cannot be configured for one run`)
	require.ErrorContains(t, err, `Configuration.Kinds["leef"] is not a kind of the set`)
	_, err = m.State(ctx, "b")
	require.ErrorIs(t, err, syncjob.ErrJobNotFound)
}

func TestTheHistoryTellsWhoWhenWhyAndWhatWasBefore(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := manager(t, set(t, handlers.SetConfig{}, noop))
		for i := range 25 {
			time.Sleep(time.Minute)
			opts := &syncjob.ConfigureOptions{By: fmt.Sprint("operator ", i), Reason: fmt.Sprint("attempt ", i)}
			_, err := m.Configure(t.Context(), "tree", opts, withTimeout(time.Duration(i+1)))
			require.NoError(t, err)
		}
		require.NoError(t, m.ResetConfiguration(t.Context(), "tree", &syncjob.ConfigureOptions{Reason: "enough"}))
		history, err := m.History(t.Context(), "tree", nil)
		require.NoError(t, err)
		require.Len(t, history, 20)
		require.Equal(t, "enough", history[0].Reason)
		require.NotEmpty(t, history[0].By)
		for i, c := range history {
			require.NoError(t, c.Err)
			require.Equal(t, int64(26-i), c.Version)
			require.Equal(t, time.Duration(25-i), c.Before.Kinds["leaf"].Timeout)
			if i > 0 {
				require.Equal(t, fmt.Sprint("operator ", 25-i), c.By)
				require.Equal(t, fmt.Sprint("attempt ", 25-i), c.Reason)
				require.Equal(t, time.Duration(i-1)*time.Minute, time.Since(c.At))
			}
		}
		is, err := m.Configuration(t.Context(), "tree", nil)
		require.NoError(t, err)
		require.Equal(t, syncjob.SetConfiguration{Set: "tree", Version: 26}, is)
		require.NoError(t, m.ResetConfiguration(t.Context(), "tree", nil))
		is, err = m.Configuration(t.Context(), "tree", nil)
		require.NoError(t, err)
		require.Equal(t, int64(26), is.Version, "there was nothing to reset")
	})
}

// damage overwrites a document, as by hand.
func damage(t *testing.T, s store.Store, id store.ConfigurationID) {
	t.Helper()
	_, err := s.WriteConfiguration(
		t.Context(),
		store.ConfigurationWrite{ID: id, Token: "by hand", IfVersion: store.AnyVersion, Document: []byte("{")},
	)
	require.NoError(t, err)
}

func TestOfACorruptConfigurationTheLastGoodOneStaysInForce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		shared := memstore.New(nil)
		var logs journal
		seen := make(chan time.Duration, 1)
		m, err := syncjob.New(shared, syncjob.Config{Registry: timeouts(t, handlers.SetConfig{}, seen), Logger: logs.logger()})
		require.NoError(t, err)
		defer func() { require.NoError(t, m.Close()) }()
		stop := work(t, m, syncjob.WorkerConfig{Concurrency: 1})
		run, other := standing(t, m, syncjob.Job{Name: "a"}), standing(t, m, syncjob.Job{Name: "b"})
		next := func(r *syncjob.Run) time.Duration {
			_, err := r.Enqueue(t.Context(), leaf{}, nil)
			require.NoError(t, err)
			return <-seen
		}
		_, err = m.Configure(t.Context(), "tree", nil, withTimeout(time.Minute))
		require.NoError(t, err)
		_, err = m.Configure(t.Context(), "tree", &syncjob.ConfigureOptions{Run: run}, withTimeout(time.Second))
		require.NoError(t, err)
		time.Sleep(reach)
		require.Equal(t, time.Second, next(run))

		damage(t, shared, store.ConfigurationID{Set: "tree"})
		damage(t, shared, store.ConfigurationID{Run: runID(run)})
		time.Sleep(time.Minute)
		for range 3 {
			require.Equal(t, time.Minute, next(other))
			require.Equal(t, time.Second, next(run))
		}
		require.Equal(t, 1, logs.count(events.ConfigurationUnreadable))
		require.Equal(t, 1, logs.count(events.RunConfigurationUnreadable))
		_, err = m.Configuration(t.Context(), "tree", nil)
		require.ErrorIs(t, err, store.ErrCorrupt)
		require.ErrorContains(t, err, `configuration of the set "tree"`)
		_, err = m.Configure(t.Context(), "tree", nil, withTimeout(1))
		require.ErrorIs(t, err, store.ErrCorrupt)

		require.NoError(t, m.ResetConfiguration(t.Context(), "tree", nil))
		require.NoError(t, m.ResetConfiguration(t.Context(), "tree", &syncjob.ConfigureOptions{Run: run}))
		time.Sleep(reach)
		require.Equal(t, handlers.DefaultTimeout, next(other))
		require.Equal(t, handlers.DefaultTimeout, next(run))
		history, err := m.History(t.Context(), "tree", nil)
		require.NoError(t, err)
		require.ErrorIs(t, history[0].Err, store.ErrCorrupt)
		require.NoError(t, stop())
	})
}

func TestAnOperatorWithoutARegistrySeesWhatWorkersPublish(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		shared := memstore.New(nil)
		operator := managerOn(t, shared, nil)
		_, err := operator.Configure(t.Context(), "tree", nil, withTimeout(1))
		require.ErrorIs(t, err, syncjob.ErrInvalid, "nobody knows the set yet")
		reg := set(t, handlers.SetConfig{
			Attributes: handlers.Attributes{Queue: "forest", Timeout: time.Minute},
			Hooks:      handlers.Hooks{PostJob: func(context.Context, *handlers.Run) error { return nil }},
		}, noop)
		work(t, managerOn(t, shared, reg), syncjob.WorkerConfig{})
		synctest.Wait()
		sets, err := operator.Sets(t.Context())
		require.NoError(t, err)
		want, err := reg.Describe("tree")
		require.NoError(t, err)
		require.Equal(t, []handlers.SetDescription{want}, sets)

		is, err := operator.Configure(t.Context(), "tree", nil, withTimeout(time.Second))
		require.NoError(t, err)
		attrs, err := sets[0].Effective("leaf", is.Configuration)
		require.NoError(t, err)
		require.Equal(t, time.Second, attrs.Timeout)
		require.Equal(t, "forest", attrs.Queue)
	})
}
