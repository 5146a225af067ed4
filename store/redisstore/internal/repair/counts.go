package repair

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/rollcall-go/rollcall/internal/plural"
	"github.com/rollcall-go/rollcall/store/statuses"
)

// counted is the number of a run's tasks in each place.
type counted struct{ pending, delayed, running, letters int64 }

// countFixes compares the counters of a run with the counted tasks. It returns the fields to set,
// and why. tallies are the counts of leased tasks by
// kind, and of those that wait for another attempt by route.
func countFixes(
	h map[string]string, status statuses.Status, is counted, tallies map[string]int64,
) (set []string, why string) {
	f := counterFixes{h: h}
	t, lost := truth(h, status, is)
	f.note("total", t.total)
	f.note("pending", is.pending)
	f.note("delayed", is.delayed)
	f.note("running", is.running)
	f.note("succeeded", t.succeeded)
	f.note("failed", t.failed)
	f.note("cancelled", t.cancelled)
	for _, name := range []string{"retried", "duplicates"} {
		if _, ok := readCount(h, name); !ok {
			f.note(name, 0)
		}
	}
	if status != statuses.Starting && status != statuses.Running {
		f.note("holds", 0)
	}
	if !status.Final() {
		f.noteTallies(tallies)
	}
	why = strings.Join(f.was, ", ")
	if lost > 0 {
		why += fmt.Sprintf("; %d are nowhere: they failed", lost)
		f.set = append(f.set, "error", plural.Of(lost, "task")+plural.Verb(lost, " was", " were")+" lost by the store")
		if status == statuses.Finishing {
			f.set = append(f.set, "finalstatus", string(statuses.Failed))
		}
	}
	return f.set, why
}

// readCount reads a counter of a run's record. A counter that is not there is 0.
func readCount(h map[string]string, name string) (int64, bool) {
	v, ok := h[name]
	if !ok {
		return 0, true
	}
	n, err := strconv.ParseInt(v, 10, 64)
	return n, err == nil && n >= 0
}

// totals are the counters of a run that cannot be counted again from stored tasks.
type totals struct{ total, succeeded, failed, cancelled int64 }

// truth computes the totals of a run. Ended tasks are not stored, so their counters are trusted if
// they can be read. A task that is not found counts as failed; otherwise the run would never end.
// lost is the number of such tasks.
func truth(h map[string]string, status statuses.Status, is counted) (t totals, lost int64) {
	var okTotal, okSucceeded, okFailed, okCancelled bool
	t.total, okTotal = readCount(h, "total")
	t.succeeded, okSucceeded = readCount(h, "succeeded")
	t.failed, okFailed = readCount(h, "failed")
	t.cancelled, okCancelled = readCount(h, "cancelled")
	if !okFailed {
		t.failed = is.letters
	}
	if !okCancelled {
		t.cancelled = 0
	}
	left := is.pending + is.delayed + is.running
	switch {
	case okSucceeded:
	case okTotal:
		t.succeeded = max(0, t.total-left-t.failed-t.cancelled)
	default:
		t.succeeded = 0
	}
	switch have := left + t.succeeded + t.failed + t.cancelled; {
	case !okTotal || have > t.total || status.Final():
		t.total = have
	case have < t.total && status == statuses.Stopping:
		t.cancelled += t.total - have
	case have < t.total:
		lost = t.total - have
		t.failed += lost
	}
	return t, lost
}

// counterFixes collects the counters of a run that are wrong.
type counterFixes struct {
	h   map[string]string
	set []string // pairs of field and value
	was []string // the value that each had
}

// note sets a counter to n, unless it is n already.
func (f *counterFixes) note(name string, n int64) {
	old := f.h[name]
	if old == "" {
		old = "0"
	}
	if text := strconv.FormatInt(n, 10); old != text {
		f.set = append(f.set, name, text)
		f.was = append(f.was, fmt.Sprintf("%s says %s, is %s", name, old, text))
	}
}

// noteTallies sets the counts by kind and route: those in the record, and missing ones.
func (f *counterFixes) noteTallies(tallies map[string]int64) {
	for name := range f.h {
		if strings.HasPrefix(name, "n:") || strings.HasPrefix(name, "y:") {
			f.note(name, tallies[name])
		}
	}
	for _, name := range sorted(tallies) {
		if f.h[name] == "" {
			f.note(name, tallies[name])
		}
	}
}
