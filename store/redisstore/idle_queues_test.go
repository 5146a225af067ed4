package redisstore_test

import (
	"context"
	"fmt"
	"os"
	"regexp"
	"strconv"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/rollcall-go/rollcall/store"
	"github.com/rollcall-go/rollcall/store/signals"
)

// total reads a figure of the server's statistics.
func (s *scene) total(name string) int {
	s.Helper()
	stats, err := s.client.Do(s.Context(), s.client.B().Info().Section("stats").Build()).ToString()
	require.NoError(s, err)
	found := regexp.MustCompile(name + `:(\d+)`).FindStringSubmatch(stats)
	require.NotNil(s, found)
	n, err := strconv.Atoi(found[1])
	require.NoError(s, err)
	return n
}

// bytesSent reads how many bytes the server was sent.
func (s *scene) bytesSent() int { return s.total("total_net_input_bytes") }

func TestManyQueuesAreCountedInFewRoundTrips(t *testing.T) {
	const queues = 1_000
	s := ownScene(t)
	run := s.begin(store.StartParams{Job: "job"})
	stopped := s.begin(store.StartParams{Job: "stopped"})
	all := make([]store.Item, queues)
	for i := range all {
		all[i] = itemOf("k", fmt.Sprint("task", i))
		all[i].Route.Queue = fmt.Sprintf("queue-%d", i)
	}
	s.enqueue(run, all...)
	s.enqueue(run, all[:queues/2]...)
	s.enqueue(stopped, all[:10]...)
	require.NoError(t, s.StopRun(t.Context(), store.StopParams{Run: stopped}))
	before := s.total("total_reads_processed")
	stats, err := s.QueueStats(t.Context(), 0)
	require.NoError(t, err)
	require.Len(t, stats, queues)
	waiting := int64(0)
	for _, q := range stats {
		require.EqualValues(t, 1, q.Runs, q.Route.Queue)
		require.False(t, q.Oldest.IsZero())
		waiting += q.Waiting
	}
	require.EqualValues(t, queues+queues/2, waiting)
	found, err := s.Inspect(t.Context(), run)
	require.NoError(t, err)
	require.Len(t, found.Lanes, queues)
	reads := s.total("total_reads_processed") - before
	t.Logf("%d queues: %d reads", queues, reads)
	require.Less(t, reads, queues, "a read is a round trip, or a part of a long one")
}

// A fetch says nothing of queues in which nothing waits, however many the worker serves.
func TestQueuesWithoutWorkCostNothing(t *testing.T) {
	counts := []int{10, 2_000}
	if os.Getenv("ROLLCALL_BLOCKED") != "" {
		counts = []int{10, 1_000, 10_000}
	}
	for _, n := range counts {
		s := ownScene(t)
		w := s.limitedSession("k")
		for i := range n {
			queue := fmt.Sprintf("idle-queue-%d", i)
			route := store.Route{Queue: queue, Set: "set", Kind: "k"}
			w.others = append(w.others, store.FetchQueue{Queue: queue, Routes: []store.Route{route}})
		}
		ctx, stop := context.WithCancel(t.Context())
		listens, ended := make(chan struct{}, 100), make(chan error, 1)
		go func() {
			ended <- s.Subscribe(ctx, func(sig store.Signal) {
				if sig.Type == signals.Sync || sig.Type == signals.Work {
					listens <- struct{}{}
				}
			})
		}()
		<-listens
		require.Empty(t, w.fetch(8), "the first fetch asks for all")
		const jobs = 20
		least := 0
		for i := range jobs {
			root := itemOf("k", "t")
			w.begin(store.StartParams{Job: fmt.Sprint("job ", i), Root: &root})
			<-listens
			before := s.bytesSent()
			ds := w.fetch(8)
			require.Len(t, ds, 1)
			if sent := s.bytesSent() - before; i == 0 || sent < least {
				least = sent // but when it asks for all again
			}
			w.succeed(ds...)
			require.Empty(t, w.fetch(8))
		}
		t.Logf("with %d queues: %d bytes for a fetch", n, least)
		require.Less(t, least, 10_000)
		stop()
		require.NoError(t, <-ended)
	}
}
