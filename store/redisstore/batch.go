package redisstore

import (
	"slices"
	"strconv"
	"time"
	"unsafe"

	"github.com/rollcall-go/rollcall/store"
	"github.com/rollcall-go/rollcall/store/redisstore/internal/format"
	"github.com/rollcall-go/rollcall/store/redisstore/internal/script"
)

// batch packs new tasks into a script call, for the scripts that use the part add: enqueue, settle
// and activate.
type batch struct {
	*script.Call
	space    *format.Keyspace
	now      time.Time
	buckets  map[string]int
	specials []int // the entries with a delay or a claimed ID, in the order in which they were packed
}

func newBatch(s *Store, k *format.Keyspace) *batch {
	return &batch{Call: script.NewCall(), space: k, now: s.estimate()}
}

// group is new tasks of one lane.
type group struct {
	run     int64
	route   store.Route
	items   []*store.Item
	entries []int // their positions in the caller's batch
}

// group sorts n entries by lane, in the order in which lanes first appear. If an ID is claimed
// again under another lane, new groups begin. So of two claims in one batch, the first in the
// caller's order gets the ID.
func (b *batch) group(n int, entry func(int) (run int64, it *store.Item)) []*group {
	type lane struct {
		run   int64
		route store.Route
	}
	type claim struct {
		run int64
		id  string
	}
	var groups []*group
	index := make(map[lane]*group)
	var claims map[claim]store.Route
	var last *group
	for i := range n {
		run, item := entry(i)
		if item.Task.Claimed {
			c := claim{run, item.Task.ID}
			if route, ok := claims[c]; ok && route != item.Route {
				clear(index)
				clear(claims)
				last = nil
			}
			if claims == nil {
				claims = make(map[claim]store.Route)
			}
			claims[c] = item.Route
		}
		if last == nil || last.run != run || last.route != item.Route {
			key := lane{run, item.Route}
			last = index[key]
			if last == nil {
				last = &group{run: run, route: item.Route}
				index[key] = last
				groups = append(groups, last)
			}
		}
		last.items = append(last.items, item)
		last.entries = append(last.entries, i)
	}
	return groups
}

// laneKeys declares the waiting list and the ring of a lane, and its delayed set if delays is set.
func (b *batch) laneKeys(id, route string, delays bool) int {
	lane := format.LaneName(id, route)
	base := b.Key(b.space.Waiting(lane))
	b.Key(b.space.Ring(route))
	if delays {
		b.Key(b.space.Delayed(lane))
	}
	return base
}

// bucket declares the bucket of a claimed ID.
func (b *batch) bucket(run string, n int) int {
	k := b.space.IDs(run, n)
	if i, ok := b.buckets[k]; ok {
		return i
	}
	if b.buckets == nil {
		b.buckets = make(map[string]int)
	}
	i := b.Key(k)
	b.buckets[k] = i
	return i
}

// addGroup packs a group in the form that add reads.
func (b *batch) addGroup(g *group) {
	route := format.RouteName(g.route)
	b.Int(b.laneKeys(format.RunID(g.run), route, slices.ContainsFunc(g.items, special))).Add(route)
	longestAt, countAt := b.Reserve(), b.Reserve()
	plain, longest := 0, 0
	messages := b.messages(g.items)
	for i, item := range g.items {
		longest = max(longest, len(messages[i]))
		if !special(item) {
			b.Add(messages[i])
			plain++
		}
	}
	b.Set(longestAt, longest)
	b.Set(countAt, plain)
	b.Int(len(g.items) - plain)
	for i, item := range g.items {
		if !special(item) {
			continue
		}
		b.specials = append(b.specials, g.entries[i])
		b.Add(messages[i], when(item))
		b.claim(format.RunID(g.run), &item.Task)
	}
}

// claim packs the bucket and digest of a task's ID; 0 if the caller did not choose the ID.
func (b *batch) claim(run string, t *store.Task) {
	if !t.Claimed {
		b.Add("0", "")
		return
	}
	d, n := format.Digest(t.ID)
	b.Int(b.bucket(run, n)).Add(d)
}

// special reports whether a new task has a delay or a claimed ID.
func special(item *store.Item) bool {
	return item.Task.Claimed || item.Delay > 0 || !item.At.IsZero()
}

// when returns until when a new task waits: "" for now, "+ms", or ms since 1970.
func when(item *store.Item) string {
	switch {
	case item.Delay > 0:
		return "+" + strconv.FormatInt(format.CeilMillis(item.Delay), 10)
	case !item.At.IsZero():
		return strconv.FormatInt(max(millis(item.At), 1), 10)
	}
	return ""
}

// messages encodes tasks into one shared buffer.
func (b *batch) messages(items []*store.Item) []string {
	size := 0
	for _, item := range items {
		size += len(item.Task.Payload) + len(item.Task.ID) + len(item.Task.Attributes) + 24
	}
	buf := make([]byte, 0, size)
	ends := make([]int, len(items))
	var seen map[string]bool // IDs of tasks for a sorted set, which stores equal messages only once
	for i, item := range items {
		task := item.Task
		if task.Enqueued.IsZero() {
			task.Enqueued = b.now
		}
		task.Ready = item.ReadyAt(b.now)
		if special(item) {
			if seen == nil {
				seen = make(map[string]bool)
			}
			if seen[task.ID] {
				task.Enqueued = task.Enqueued.Add(time.Duration(i) * time.Millisecond)
			}
			seen[task.ID] = true
		}
		buf = format.AppendTask(buf, &task)
		ends[i] = len(buf)
	}
	all := unsafe.String(unsafe.SliceData(buf), len(buf)) // nothing writes to it any more
	out := make([]string, len(items))
	start := 0
	for i, end := range ends {
		out[i] = all[start:end]
		start = end
	}
	return out
}

// millis returns a due time in ms since 1970; 0 for the zero time.
func millis(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return store.DueTime(t).UnixMilli()
}
