package redisstore_test

import (
	"os"
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/rollcall-go/rollcall/internal/taskid"
	"github.com/rollcall-go/rollcall/store"
	"github.com/rollcall-go/rollcall/store/bounds"
)

// filled begins a run in which so many tasks of 200 bytes wait.
func (s *scene) filled(job string, count int) store.RunID {
	run := s.begin(store.StartParams{Job: job})
	payload := make([]byte, 200)
	for i := range payload {
		payload[i] = 'a' + byte(i%26)
	}
	for batch := []store.Item(nil); count > 0; batch = nil {
		for range min(count, bounds.MaxBatch) {
			item := itemOf("k", taskid.New(time.Now()))
			item.Task.Payload, item.Task.Enqueued = payload, time.Now()
			batch = append(batch, item)
		}
		s.enqueue(run, batch...)
		count -= len(batch)
	}
	return run
}

// stopped returns how long the server took to stop the run.
func (s *scene) stopped(run store.RunID) time.Duration {
	_, before := s.scripts()
	require.NoError(s, s.StopRun(s.Context(), store.StopParams{Run: run}))
	_, after := s.scripts()
	return after - before
}

// A waiting task of 200 bytes takes 260 bytes of the server's memory at most, and a run is stopped in
// the same time however many wait. With ROLLCALL_STORM=1 they are a million.
func TestAWaitingTaskIsSmallAndStoppingManyIsAsQuickAsStoppingFew(t *testing.T) {
	count := 10_000
	if os.Getenv("ROLLCALL_STORM") != "" {
		count = 1_000_000
	}
	s := ownScene(t)
	m := &mixed{scene: s}
	s.stopped(s.filled("first", 1)) // it brings the scripts
	before := m.memory("used_memory")
	many := []store.RunID{s.filled("many-0", count)}
	each := float64(m.memory("used_memory")-before) / float64(count)
	for i := range 2 {
		many = append(many, s.filled("many-"+strconv.Itoa(i+1), count))
	}
	least, most := time.Hour, time.Hour
	for i, run := range many {
		least = min(least, s.stopped(s.filled("few-"+strconv.Itoa(i), 1000)))
		most = min(most, s.stopped(run))
	}
	t.Logf("%d tasks wait, at %.1f bytes each; to stop them took the server %v, and 1,000 of them %v", count, each, most, least)
	require.LessOrEqual(t, each, 260.0)
	require.LessOrEqual(t, most, 10*time.Millisecond)
}
