package redisstore_test

import (
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/rollcall-go/rollcall/internal/taskid"
	"github.com/rollcall-go/rollcall/store"
	"github.com/rollcall-go/rollcall/store/bounds"
	"github.com/rollcall-go/rollcall/store/verdicts"
)

// among are how many tasks wait among which one is sought, and one in how many has 1 MiB.
func among() (count, large int) {
	if os.Getenv("ROLLCALL_STORM") != "" {
		return 1_000_000, 10_000
	}
	return 12_000, 4000
}

var usual = []byte(`"what a usual task is told: some names and numbers of 100 bytes or so, and what else it may need"`)

// crowded is a run in which many tasks wait: each 100th has a chosen ID.
type crowded struct {
	*scene
	run store.RunID
	ids []string
}

func newCrowded(t *testing.T) *crowded {
	s := &crowded{scene: ownScene(t)}
	s.run = s.begin(store.StartParams{Job: "job"})
	count, large := among()
	var batch []store.Item
	for i := range count {
		item := itemOf("k", taskid.New(time.Now()))
		item.Task.Payload, item.Task.Enqueued = usual, time.Now()
		switch {
		case i%large == large/2:
			item.Task.Payload = mebibyte(i)
		case i%100 == 50:
			item.Task.ID, item.Task.Claimed = fmt.Sprint("chosen-", i), true
		}
		s.ids = append(s.ids, item.Task.ID)
		if batch = append(batch, item); len(batch) == bounds.MaxBatch || i == count-1 {
			s.enqueue(s.run, batch...)
			batch = nil
		}
	}
	return s
}

// sought seeks a task as a reader does that knows which IDs are chosen.
func (s *crowded) sought(id string) (found []store.TaskRecord, calls int, cpu, took time.Duration) {
	_, made := taskid.Made(id)
	p := store.TasksParams{Run: s.run, ID: id, Claimed: !made, Payload: true, Limit: bounds.MaxPage}
	calls, cpu = s.scripts()
	begun := time.Now()
	for more := true; more; more = p.Cursor != "" {
		page, err := s.Tasks(s.Context(), p)
		require.NoError(s, err)
		found, p.Cursor = append(found, page.Tasks...), page.Next
	}
	took = time.Since(begun)
	after, spent := s.scripts()
	return found, after - calls, spent - cpu, took
}

// A task that waits in order is found in a few calls, whatever its size and that of the others, and
// so is out that nothing has a chosen ID. What is out of order takes a look at all. With
// ROLLCALL_STORM=1 a million tasks wait.
func TestOneTaskAmongManyIsFoundInFewCalls(t *testing.T) {
	s := newCrowded(t)
	count, large := among()
	late := itemOf("k", taskid.New(time.Now().Add(-time.Hour)))
	late.Task.Enqueued = time.Now().Add(-time.Hour)
	s.enqueue(s.run, late) // it is where none of its time is
	require.NoError(t, s.server.Do(t.Context(), "CONFIG", "SET", "slowlog-log-slower-than", "10000", "slowlog-max-len", "1000"))
	require.NoError(t, s.server.Do(t.Context(), "SLOWLOG", "RESET"))
	var table strings.Builder
	for _, one := range []struct {
		name, id string
		few      bool
		found    int
	}{
		{"first", s.ids[0], true, 1}, {"in the middle", s.ids[count/2+1], true, 1}, {"of 1 MiB", s.ids[large/2], true, 1},
		{"last", s.ids[count-1], true, 1}, {"chosen", s.ids[count/2-50], true, 1}, {"chosen, missing", "nobody", true, 0},
		{"missing", taskid.New(time.Now()), false, 0}, {"out of order", late.Task.ID, false, 1},
	} {
		found, calls, cpu, took := s.sought(one.id)
		fmt.Fprintf(&table, "%-16s %5d calls %8d µs of Redis %8d µs\n", one.name, calls, cpu.Microseconds(), took.Microseconds())
		require.Len(t, found, one.found, one.name)
		if one.found > 0 {
			require.Equal(t, one.id, found[0].Task.ID)
		}
		if one.few {
			require.LessOrEqual(t, calls, 20, "%s\n%s", one.name, &table)
		}
		if os.Getenv("ROLLCALL_STORM") != "" {
			require.LessOrEqual(t, took, 2*time.Second, "%s\n%s", one.name, &table)
		}
	}
	begun := time.Now()
	reply, err := s.ChangeTask(t.Context(), store.ChangeTaskParams{Run: s.run, ID: s.ids[count/3], Cancel: true})
	require.NoError(t, err)
	require.Equal(t, verdicts.ChangeCancelled, reply.Change, "in the first call")
	fmt.Fprintf(&table, "%-16s %38d µs\n", "cancelled", time.Since(begun).Microseconds())
	slow, err := s.client.Do(t.Context(), s.client.B().SlowlogLen().Build()).AsInt64()
	require.NoError(t, err)
	t.Logf("%d tasks; %d commands took over 10 ms\n%s", count, slow, &table)
}
