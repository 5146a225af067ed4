package redisstore_test

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/rollcall-go/rollcall/store"
	"github.com/rollcall-go/rollcall/store/actions"
	"github.com/rollcall-go/rollcall/store/bounds"
	"github.com/rollcall-go/rollcall/store/verdicts"
)

// mixed is a run with many small tasks and some of 1 MiB.
type mixed struct {
	*scene
	run store.RunID
	ids []string
}

func newMixed(t *testing.T) *mixed {
	s := &mixed{scene: ownScene(t)}
	s.run = s.begin(store.StartParams{Job: "job"})
	return s
}

func (s *mixed) small(n int) {
	for n > 0 {
		batch := make([]store.Item, min(n, bounds.MaxBatch))
		for i := range batch {
			batch[i] = itemOf("k", s.next())
		}
		s.enqueue(s.run, batch...)
		n -= len(batch)
	}
}

func (s *mixed) large(n int) {
	for range n {
		item := itemOf("k", s.next())
		item.Task.Payload = mebibyte(len(s.ids))
		s.enqueue(s.run, item)
	}
}

func (s *mixed) next() string {
	s.ids = append(s.ids, fmt.Sprintf("task-%05d", len(s.ids)))
	return s.ids[len(s.ids)-1]
}

// memory is how much the server uses, or used at most.
func (s *mixed) memory(name string) int {
	text, err := s.client.Do(s.Context(), s.client.B().Info().Section("memory").Build()).ToString()
	require.NoError(s, err)
	for line := range strings.Lines(text) {
		if value, ok := strings.CutPrefix(strings.TrimSpace(line), name+":"); ok {
			n, err := strconv.Atoi(value)
			require.NoError(s, err)
			return n
		}
	}
	require.Fail(s, "the server does not tell", name)
	return 0
}

// requireSeen lists all tasks, and seeks one that is missing, in few calls, none of which has the
// server read much.
func (s *mixed) requireSeen(calls int) {
	s.Helper()
	before := s.memory("used_memory")
	done, _ := s.scripts()
	var seen []string
	p := store.TasksParams{Run: s.run, Limit: bounds.MaxPage}
	for more := true; more; more = p.Cursor != "" {
		page, err := s.Tasks(s.Context(), p)
		require.NoError(s, err)
		for i := range page.Tasks {
			seen = append(seen, page.Tasks[i].Task.ID)
		}
		p.Cursor = page.Next
	}
	slices.Sort(seen)
	require.Equal(s, s.ids, seen)
	p.ID = "nowhere"
	for more := true; more; more = p.Cursor != "" {
		page, err := s.Tasks(s.Context(), p)
		require.NoError(s, err)
		require.Empty(s, page.Tasks)
		p.Cursor = page.Next
	}
	after, _ := s.scripts()
	most := s.memory("used_memory_peak") - before
	s.Logf("%d calls; the server used %d MiB more", after-done, most>>20)
	require.LessOrEqual(s, after-done, calls)
	require.LessOrEqual(s, most, 48<<20, "no script reads what may be long at once")
}

// requireKnown requires that the run knows where long tasks wait. A task has the number p:ROUTE less
// those that are behind it.
func (s *mixed) requireKnown(long int) {
	s.Helper()
	b := s.client.B
	noted, err := s.client.Do(s.Context(), b().Hmget().Key(s.prefix()+"run:"+RunID(s.run)).Field("p:q/set/k", "l:q/set/k").Build()).
		AsStrSlice()
	require.NoError(s, err)
	last, err := strconv.Atoi(noted[0])
	require.NoError(s, err)
	messages, err := s.client.Do(s.Context(), b().Lrange().Key(s.prefix()+"W:"+RunID(s.run)+"/q/set/k").Start(0).Stop(-1).Build()).
		AsStrSlice()
	require.NoError(s, err)
	for i, m := range messages {
		if len(m) < 1<<14 {
			continue
		}
		long--
		number, known := last-(len(messages)-1-i), false
		for one := range strings.FieldsSeq(noted[1]) {
			from, to := 0, 0
			_, err := fmt.Sscanf(one, "%d-%d", &from, &to)
			require.NoError(s, err)
			known = known || from <= number && number <= to
		}
		require.True(s, known, "%d is long, and not in %q", number, noted[1])
	}
	require.Zero(s, long)
}

// drop cancels a task, whose place the last one takes.
func (s *mixed) drop(i int) {
	p := store.ChangeTaskParams{Run: s.run, ID: s.ids[i], Cancel: true}
	for {
		reply, err := s.ChangeTask(s.Context(), p)
		require.NoError(s, err)
		if p.Cursor = reply.Next; p.Cursor == "" {
			require.Equal(s, verdicts.ChangeCancelled, reply.Change)
			break
		}
	}
	s.ids = slices.Delete(s.ids, i, i+1)
}

// settled works until a long task has come, which gets the verdict.
func (s *mixed) settled(w *worker, v verdicts.Verdict) {
	for {
		for _, d := range w.fetch(bounds.MaxBatch, "k") {
			if len(d.Task.Payload) > 1<<14 {
				o := outcomeOf(d, v)
				o.Task.Retry, o.Error = 1, "again"
				w.settle(o)
				return
			}
			w.settle(outcomeOf(d, verdicts.Success))
		}
	}
}

// A few long tasks make no page small, as the run knows where they wait.
func TestLongTasksAreReadOneByOneAndShortOnesAreNot(t *testing.T) {
	const many = 3000
	t.Run("one among many", func(t *testing.T) {
		s := newMixed(t)
		s.small(many)
		s.large(1)
		s.small(many)
		s.requireSeen(60)
	})
	t.Run("many at once", func(t *testing.T) {
		const burst = 96
		s := newMixed(t)
		s.small(many)
		s.large(burst)
		s.small(many)
		s.requireSeen(60 + 3*burst)
	})
}

// Long tasks come to a waiting list in each of these ways.
func TestARunKnowsWhereItsLongTasksWait(t *testing.T) {
	const few, burst = 200, 6
	long := func(s *mixed, at time.Time) store.Item {
		item := itemOf("k", s.next())
		item.Task.Payload, item.At = mebibyte(len(s.ids)), at
		return item
	}
	for name, come := range map[string]func(*mixed){
		"enqueued": func(s *mixed) { s.large(burst) },
		"in the place of a cancelled one": func(s *mixed) {
			s.large(burst)
			for i := range burst {
				s.drop(few/2 + 10*i)
			}
			s.small(few)
			s.large(1)
			s.drop(few / 3)
		},
		"that had chosen IDs": func(s *mixed) {
			for range burst {
				item := long(s, time.Time{})
				item.Task.Claimed = true
				s.enqueue(s.run, item)
			}
		},
		"that were delayed": func(s *mixed) {
			for range burst {
				s.enqueue(s.run, long(s, time.UnixMilli(1)))
			}
			for range burst {
				_, err := s.Promote(s.Context(), 0)
				require.NoError(s, err)
			}
		},
		"again at once": func(s *mixed) {
			s.large(1)
			s.small(5) // which are behind it
			w := s.worker("w")
			s.settled(w, verdicts.Retry)
		},
		"after a failure": func(s *mixed) {
			s.large(1)
			s.small(5) // which are behind it
			w := s.worker("w")
			s.settled(w, verdicts.Fail)
			s.enqueued++
			reply, err := s.RedoFailures(s.Context(), store.RedoParams{
				Stream: "producer", Number: s.enqueued, Run: s.run, Action: actions.RedoRetry, Limit: 1,
			})
			require.NoError(s, err)
			require.EqualValues(s, 1, reply.Moved)
		},
		"as the root": func(s *mixed) {
			root := long(s, time.Time{})
			s.run = s.begin(store.StartParams{Job: "rooted", Root: &root})
		},
		"as a root that waited for a hook": func(s *mixed) {
			root, pre := long(s, time.Time{}), itemOf(store.KindPreJob, "pre")
			s.run = s.begin(store.StartParams{Job: "rooted", Root: &root, PreJob: &pre})
			w := s.worker("w")
			w.settle(outcomeOf(w.fetchOne(store.KindPreJob), verdicts.Begin))
		},
		"in many places": func(s *mixed) {
			for range 140 {
				s.small(70)
				item := itemOf("k", s.next())
				item.Task.Payload = mebibyte(0)[:20_000]
				s.enqueue(s.run, item)
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			s := newMixed(t)
			s.small(few)
			come(s)
			s.small(few)
			count := map[string]int{
				"in many places": 140, "again at once": 1, "after a failure": 1, "in the place of a cancelled one": burst + 1,
				"as the root": 1, "as a root that waited for a hook": 1,
			}[name]
			if count == 0 {
				count = burst
			}
			s.requireKnown(count)
		})
	}
}
