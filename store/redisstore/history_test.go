package redisstore_test

import (
	"bytes"
	"fmt"
	"slices"
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/rollcall-go/rollcall/internal/redistest"
	"github.com/rollcall-go/rollcall/store"
	"github.com/rollcall-go/rollcall/store/histogram"
	"github.com/rollcall-go/rollcall/store/redisstore"
	"github.com/rollcall-go/rollcall/store/verdicts"
)

// moving is a scene whose server's clock a test moves.
func moving(t *testing.T) (s *scene, set func(time.Duration)) {
	clock := redistest.NewClock(t, 0)
	server := redistest.Start(t, &redistest.Options{Clock: clock})
	return sceneOn(t, server, server.URL(), redistest.Namespace()), clock.Set
}

// history reads the points of the 64 minutes, or hours, that end with the present minute.
func (s *scene) history(hours bool) []store.HistoryPoint {
	s.Helper()
	unit := time.Minute
	if hours {
		unit = time.Hour
	}
	to := time.UnixMilli(s.millis()).Add(2 * time.Minute)
	points, err := s.ReadHistory(s.Context(), store.HistoryParams{Hours: hours, From: to.Add(-64 * unit), To: to})
	require.NoError(s, err)
	return points
}

func sumOf(points []store.HistoryPoint) (sum store.Figures) {
	for _, p := range points {
		sum.Enqueued += p.Enqueued
		sum.Succeeded += p.Succeeded
		sum.Failed += p.Failed
		sum.Retried += p.Retried
		sum.Other += p.Other
	}
	return sum
}

func timesOf(points []store.HistoryPoint) (sum store.Times) {
	for _, p := range points {
		sum = sum.Plus(p.Times)
	}
	return sum
}

// TestTheHistoryAddsUpToTheLedgerThoughRepliesAreLost works and sweeps in each of 70 minutes from two
// processes, which lose the reply to every third command.
func TestTheHistoryAddsUpToTheLedgerThoughRepliesAreLost(t *testing.T) {
	plain, set := moving(t)
	proxy := redistest.NewProxy(t, plain.server.Addr)
	s := *plain
	again := &store.RetryOptions{Base: time.Millisecond, Cap: 4 * time.Millisecond}
	s.Store = store.WithRetry(open(t, proxy.URL(), redisstore.Config{Namespace: plain.namespace}), again)
	other := store.WithRetry(open(t, proxy.URL(), redisstore.Config{Namespace: plain.namespace}), again)
	run := s.begin(store.StartParams{Job: "job"})
	w := s.worker("w")
	_, err := s.Heartbeat(t.Context(), store.HeartbeatParams{Session: w.id, Lease: 24 * time.Hour})
	require.NoError(t, err)
	proxy.Inject(redistest.Fault{Kind: redistest.Swallow, Every: 3})
	const minutes = 70
	var took store.Times
	for minute := range minutes {
		set(time.Duration(minute) * time.Minute)
		s.enqueue(run, items("k", 3)...)
		for i, d := range w.fetch(3, "k") {
			one := func(bucket int) histogram.Histogram { return histogram.Histogram{histogram.Of(bucket, 1)} }
			w.times = []store.RouteTimes{{
				Route: d.Lease.Lane.Route, Times: store.Times{Wait: one(minute % histogram.Size), Run: one(i)},
			}}
			took = took.Plus(w.times[0].Times)
			w.settle(outcomeOf(d, []verdicts.Verdict{verdicts.Success, verdicts.Fail, verdicts.Cancel}[i]))
		}
		swept := make(chan error, 1)
		go func() { _, err := other.Sweep(t.Context(), 0); swept <- err }()
		_, err = s.Sweep(t.Context(), 0)
		require.NoError(t, err)
		require.NoError(t, <-swept)
	}
	require.Greater(t, proxy.Injected(), 100)
	proxy.Clear()
	set((minutes + 1) * time.Minute)
	s.sweep()
	stats, err := s.QueueStats(t.Context(), 0)
	require.NoError(t, err)
	require.Len(t, stats, 1)
	want := store.Figures{Enqueued: stats[0].Enqueued, Succeeded: stats[0].Succeeded, Failed: stats[0].Failed, Other: minutes}
	require.Equal(t, store.Figures{Enqueued: 3 * minutes, Succeeded: minutes, Failed: minutes, Other: minutes}, want)
	var all []store.HistoryPoint
	now := time.UnixMilli(s.millis())
	for from := now.Add(-2 * time.Hour); from.Before(now.Add(time.Minute)); from = from.Add(time.Hour) {
		page, err := s.ReadHistory(t.Context(), store.HistoryParams{From: from, To: from.Add(time.Hour)})
		require.NoError(t, err)
		all = append(all, page...)
	}
	seen := make(map[time.Time]bool)
	for _, p := range all {
		require.False(t, seen[p.At], "two points at %v", p.At)
		seen[p.At] = true
	}
	t.Logf("%d points of %d minutes, %d replies lost", len(all), minutes, proxy.Injected())
	require.Equal(t, want, sumOf(all), "exactly what the ledger has")
	require.EqualValues(t, 3*minutes, took.Run.Count(), "as many as ended")
	require.Equal(t, took, timesOf(all), "exactly what came")
	set((minutes + 61) * time.Minute)
	s.sweep()
	hours := s.history(true)
	require.LessOrEqual(t, len(hours), 4, "the first, and those of two or three hours")
	require.Equal(t, want, sumOf(hours))
	require.Equal(t, took, timesOf(hours))
}

// TestAKindTakesAsManyBytesAsTheDocumentsSay has 200 kinds and some more do something in each
// minute of an hour.
func TestAKindTakesAsManyBytesAsTheDocumentsSay(t *testing.T) {
	s, set := moving(t)
	const minutes, kinds = 61, 203
	require.NoError(t, s.server.Do(t.Context(), "CONFIG", "SET", "slowlog-log-slower-than", "0", "slowlog-max-len", "10000"))
	names, buckets := 0, 0
	for minute := range minutes {
		set(time.Duration(minute) * time.Minute)
		var figures, times []string
		for kind := range kinds {
			route := fmt.Sprintf("default/photos/resize-%03d", kind)
			names = len(route)
			n := strconv.Itoa(100 * (minute + 1))
			figures = append(figures, "e:"+route, n, "s:"+route, n)
			for i, n := range []string{"3", "40", "52", "5"} { // 100 attempts
				times = append(times, fmt.Sprintf("w%c:%s", 'B'+i+kind%5, route), n)
				times = append(times, fmt.Sprintf("r%c:%s", 'M'+i+minute%3, route), n)
			}
			buckets = 8
		}
		s.command("HSET", "ledger", figures...)
		s.command("HSET", "times", times...)
		_, err := s.Sweep(t.Context(), 0)
		require.NoError(t, err)
	}
	points := s.history(false)
	require.Len(t, points, minutes*201)
	require.Equal(t, store.Figures{Enqueued: 100 * kinds * minutes, Succeeded: 100 * kinds * minutes}, sumOf(points))
	took := timesOf(points)
	require.EqualValues(t, 100*kinds*minutes, took.Wait.Count())
	require.EqualValues(t, 100*kinds*minutes, took.Run.Count())
	used, err := s.client.Do(t.Context(), s.client.B().Arbitrary("MEMORY", "USAGE").Keys(s.prefix()+"minutes").
		Args("SAMPLES", "0").Build()).AsInt64()
	require.NoError(t, err)
	each := float64(used) / minutes / 201
	t.Logf("%.1f bytes a point, of which the names are %d, with %d buckets", each, names, buckets)
	require.InEpsilon(t, names+19+3*buckets, each, 0.1)
	(&heavy{scene: s}).slowest()

	// What was kept for long enough goes.
	set(10 * time.Hour)
	s.command("HINCRBY", "ledger", "s:default/photos/resize-007", "1")
	_, err = s.Sweep(t.Context(), 0)
	require.NoError(t, err)
	require.EqualValues(t, 1, s.members("minutes"))
	set(100 * 24 * time.Hour)
	s.command("HINCRBY", "ledger", "s:default/photos/resize-202", "1") // it has no points of its own yet
	_, err = s.Sweep(t.Context(), 0)
	require.NoError(t, err)
	require.EqualValues(t, 1, s.members("hours"))
	fields, err := s.client.Do(t.Context(), s.client.B().Hlen().Key(s.prefix()+"series").Build()).AsInt64()
	require.NoError(t, err)
	require.EqualValues(t, 1+3+1, fields, "who did nothing for long made place for the three others")
}

func (s *scene) members(name string) int64 {
	n, err := s.client.Do(s.Context(), s.client.B().Zcard().Key(s.prefix()+name).Build()).AsInt64()
	require.NoError(s, err)
	return n
}

// TestASweepThatIsOvertakenNotesNothing holds back what one sweep writes until another one has
// written, which knows of more.
func TestASweepThatIsOvertakenNotesNothing(t *testing.T) {
	s, set := moving(t)
	proxy := redistest.NewProxy(t, s.server.Addr)
	slow := open(t, proxy.URL(), redisstore.Config{Namespace: s.namespace})
	s.command("HSET", "ledger", "s:a/b/c", "7")
	goOn := make(chan struct{})
	writes := func(c redistest.Command) bool {
		return redistest.Named("EVALSHA", "EVAL")(c) &&
			slices.ContainsFunc(c.Args, func(arg []byte) bool { return bytes.HasSuffix(arg, []byte("}:series")) })
	}
	proxy.Inject(redistest.Fault{Kind: redistest.Hold, Until: goOn, Match: writes})
	done := make(chan error, 1)
	go func() { _, err := slow.Sweep(t.Context(), 0); done <- err }()
	require.NoError(t, proxy.AwaitInjected(t.Context(), 1))
	set(time.Minute)
	s.command("HSET", "ledger", "s:a/b/c", "9")
	s.sweep()
	close(goOn)
	require.NoError(t, <-done)
	require.Equal(t, store.Figures{Succeeded: 9}, sumOf(s.history(false)))
}
