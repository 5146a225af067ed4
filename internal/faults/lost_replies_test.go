package faults

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/rollcall-go/rollcall/internal/redistest"
)

// everyTwentieth loses the reply to every 20th command of whatever kind.
var everyTwentieth = redistest.Fault{Kind: redistest.Swallow, Every: 20}

func TestEveryTwentiethReplyLost(t *testing.T) {
	moods, _ := seed(t)
	w := newWorld(t, longLease, nil)
	workers := []*process{w.worker(16), w.worker(16), w.worker(16)}
	w.proxy.Inject(everyTwentieth)
	// Fan-outs of 1000 are staged, of 48 travel with their parent's success.
	s := w.grow(node{Path: "root", Fan: []int{8, 1000, 6}, Moods: moods})
	final := s.requireGrown(0)
	w.proxy.Clear()
	require.Equal(t, 1, times(s.events(), hookBegan))
	s.requireOneAttemptEach()
	t.Logf(
		"%d tasks, %d retries, %d duplicates, %d replies lost, %d polls", final.Counts.Total, final.Retried,
		final.Duplicates, w.proxy.Injected(), s.polls,
	)
	require.Greater(t, final.Counts.Total, int64(20_000))
	require.Greater(t, w.proxy.Injected(), 100)
	for _, p := range workers {
		p.drain()
	}
	s.requireNothingLeft()
}
