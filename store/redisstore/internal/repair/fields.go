package repair

import (
	"encoding/json"
	"fmt"
	"strconv"
	"strings"

	"github.com/rollcall-go/rollcall/store"
	"github.com/rollcall-go/rollcall/store/redisstore/internal/format"
)

// This file knows, beside record.go, which fields a stored hash must have, and what takes the place of one that
// cannot be read.

// sessionFixes are the fields of a session that cannot be read: the parts that are shown to people are
// emptied, and what is neither its own nor a delivery is removed.
func sessionFixes(id string, h map[string]string) []fix {
	var fixes []fix
	for name, v := range h {
		switch name {
		case "fetch", "settle":
		case "info":
			if json.Unmarshal([]byte(v), new(store.WorkerInfo)) != nil {
				fixes = append(fixes, fix{name, v, "{}", "its description cannot be read: it is emptied"})
			}
		case "busy":
			if v != "" && json.Unmarshal([]byte(v), new([]store.RunningTask)) != nil {
				fixes = append(fixes, fix{name, v, "[]", "what it says to run cannot be read: it is emptied"})
			}
		default:
			if _, ok := format.ParseLeaseField(id, name); !ok {
				fixes = append(fixes, fix{name, v, "", fmt.Sprintf("field %q is no delivery: it is removed", name)})
			}
		}
	}
	return fixes
}

// jobFixes are the fields of a job that cannot be read.
func jobFixes(h map[string]string) []fix {
	var fixes []fix
	for _, name := range []string{"revision", "run", "created", "due", "acts", "changes", "skipped", "lastskip", "problemsince"} {
		fixes = append(fixes, numberFix(h, name, "0", false)...)
	}
	return fixes
}

// A run whose retention, or the like, was lost gets these.
const (
	repairedRetention = "86400000" // ms
	repairedCap       = "100"
	repairedMaxLen    = "1048576"
)

// runFixes are the fields of a run that cannot be read, all but its counters.
func runFixes(id string, h map[string]string) []fix {
	var fixes []fix
	n, _ := strconv.ParseInt(id, 10, 64)
	created := strconv.FormatInt(n/1000, 10) // numbers are the time in µs
	fixes = append(fixes, numberFix(h, "created", created, true)...)
	fixes = append(fixes, numberFix(h, "retention", repairedRetention, true)...)
	fixes = append(fixes, numberFix(h, "failcap", repairedCap, true)...)
	fixes = append(fixes, numberFix(h, "maxlen", repairedMaxLen, true)...)
	fixes = append(fixes, numberFix(h, "weight", "1", true)...)
	for _, name := range []string{"started", "ended", "signalled", "sealafter", "rootwhen"} {
		fixes = append(fixes, numberFix(h, name, "", false)...)
	}
	for name, v := range h {
		if strings.HasPrefix(name, "v:") || strings.HasPrefix(name, "c:") {
			fixes = append(fixes, numberFix(h, name, "", false)...)
		}
		if name == "headers" && v != "" && json.Unmarshal([]byte(v), new(map[string]string)) != nil {
			fixes = append(fixes, fix{name, v, "", "its headers cannot be read: they are removed"})
		}
	}
	switch state := store.Status(h["state"]); state {
	case store.StatusStarting, store.StatusRunning, store.StatusStopping, store.StatusSucceeded, store.StatusFailed, store.StatusStopped, store.StatusSkipped:
	case store.StatusFinishing:
		if outcome := store.Status(h["outcome"]); outcome != store.StatusSucceeded && outcome != store.StatusFailed {
			set := string(store.StatusFailed)
			if h["failed"] == "" || h["failed"] == "0" {
				set = string(store.StatusSucceeded)
			}
			fixes = append(fixes, fix{"outcome", h["outcome"], set, "its outcome cannot be read: by its counts it is " + set})
		}
	default:
		// It is not known what may run of it: nothing does. It is not done either.
		fixes = append(fixes, fix{"state", h["state"], string(store.StatusStopping), "its state cannot be read: it is stopped"},
			fix{"reason", h["reason"], "its state was lost", "it is stopped since its state was lost"})
	}
	return fixes
}

// counted is what was counted of a run: its tasks by where they are.
type counted struct{ pending, delayed, running, letters int64 }

// countFixes compares the counters of a run with what was counted, and returns the fields to be set and why.
// What ended is not stored and must be believed, as far as it can be read. A task that is
// nowhere failed: the run is never done without it. tallies are the counts by kind of what is leased.
func countFixes(h map[string]string, status store.Status, is counted, tallies map[string]int64) (set []string, why string) {
	read := func(name string) (int64, bool) {
		v, ok := h[name]
		if !ok {
			return 0, true
		}
		n, err := strconv.ParseInt(v, 10, 64)
		return n, err == nil && n >= 0
	}
	total, okTotal := read("total")
	succeeded, okSucceeded := read("succeeded")
	failed, okFailed := read("failed")
	cancelled, okCancelled := read("cancelled")
	if !okFailed {
		failed = is.letters
	}
	if !okCancelled {
		cancelled = 0
	}
	left := is.pending + is.delayed + is.running
	if !okSucceeded {
		succeeded = 0
		if okTotal {
			succeeded = max(0, total-left-failed-cancelled)
		}
	}
	lost := int64(0)
	switch have := left + succeeded + failed + cancelled; {
	case !okTotal || have > total || status.Final():
		total = have
	case have < total && status == store.StatusStopping:
		cancelled += total - have
	case have < total:
		lost = total - have
		failed += lost
	}
	var was []string
	note := func(name string, n int64) {
		old := h[name]
		if old == "" {
			old = "0"
		}
		if text := strconv.FormatInt(n, 10); old != text {
			set = append(set, name, text)
			was = append(was, fmt.Sprintf("%s says %s, is %s", name, old, text))
		}
	}
	note("total", total)
	note("pending", is.pending)
	note("delayed", is.delayed)
	note("running", is.running)
	note("succeeded", succeeded)
	note("failed", failed)
	note("cancelled", cancelled)
	for _, name := range []string{"retried", "duplicates"} {
		if _, ok := read(name); !ok {
			note(name, 0)
		}
	}
	if status != store.StatusStarting && status != store.StatusRunning {
		note("holds", 0)
	}
	if !status.Final() {
		for name := range h {
			if strings.HasPrefix(name, "n:") {
				note(name, tallies[name])
			}
		}
		for _, name := range sorted(tallies) {
			if h[name] == "" {
				note(name, tallies[name])
			}
		}
	}
	why = strings.Join(was, ", ")
	if lost > 0 {
		why += fmt.Sprintf("; %d are nowhere: they failed", lost)
		set = append(set, "error", fmt.Sprintf("%d tasks were lost by the store", lost))
		if status == store.StatusFinishing {
			set = append(set, "outcome", string(store.StatusFailed))
		}
	}
	return set, why
}
