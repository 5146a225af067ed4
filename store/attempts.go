package store

import (
	"math"
	"slices"
	"time"
	"unicode/utf8"

	"github.com/rollcall-go/rollcall/store/bounds"
)

// maxAttemptWorker is how many bytes are kept of the name of a worker.
const maxAttemptWorker = 40

// Tried notes an attempt that did not succeed. A task carries its last [bounds.MaxAttempts]. Their
// errors are cut, the longest first, so that all of them fit into [bounds.MaxAttemptBytes]. The
// slice that t had does not change.
func (t *Task) Tried(a Attempt) {
	kept := t.Attempts[max(0, len(t.Attempts)-bounds.MaxAttempts+1):]
	all := append(slices.Grow(slices.Clone(kept), 1), a)
	room := bounds.MaxAttemptBytes
	lengths := make([]int, 0, len(all))
	for i := range all {
		all[i].Ended = all[i].Ended.UTC().Round(0).Truncate(time.Millisecond)
		all[i].Took = max(0, all[i].Took).Truncate(time.Millisecond)
		all[i].Worker = cut(all[i].Worker, maxAttemptWorker)
		all[i].Error = validText(all[i].Error)
		room -= attemptOverhead + len(all[i].Worker)
		lengths = append(lengths, len(all[i].Error))
	}
	most := evenly(lengths, room)
	for i := range all {
		all[i].Error = cut(all[i].Error, most)
	}
	t.Attempts = all
}

// evenly is the largest length to which texts can be cut so that all fit into room.
func evenly(lengths []int, room int) int {
	slices.Sort(lengths)
	for i, n := range lengths {
		if share := room / (len(lengths) - i); n > share {
			return share
		}
		room -= n
	}
	return math.MaxInt
}

// cut returns at most n bytes of s, as valid UTF-8.
func cut(s string, n int) string {
	s = validText(s)
	if len(s) <= n {
		return s
	}
	for n > 0 && !utf8.RuneStart(s[n]) {
		n--
	}
	return s[:n]
}

// workerDied is the error of an attempt whose session ended before it was settled.
const workerDied = "its worker died, or lost its lease"

// Reclaimed is the task as it goes back to the waiting ones when the session that held it has
// ended: recovered, and charged with a crash if it was the one recovered task of that session. It
// carries the attempt. s is what is known of the session; now is the store's clock.
func (t Task) Reclaimed(s *SessionRecord, run RunID, now time.Time) Task {
	if t.Recovered {
		t.Crashes++
	}
	t.Recovered, t.Ready = true, now
	a := Attempt{Ended: now, Worker: s.Worker.Name, Error: workerDied}
	for i := range s.Running {
		if r := &s.Running[i]; r.Run == run && r.ID == t.ID {
			a.Took = now.Sub(r.Since)
		}
	}
	t.Tried(a)
	return t
}
