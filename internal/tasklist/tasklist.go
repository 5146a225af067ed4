// Package tasklist is what stores share that list the tasks of a run: the order of the places in
// which tasks are, and the cursors that say how far a listing is.
package tasklist

import (
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/rollcall-go/rollcall/store"
	"github.com/rollcall-go/rollcall/store/statuses"
)

// Source is a sort of place in which tasks of a run are.
type Source byte

// The sources, in the order in which they are listed. A task that moves on while it is sought moves
// mostly from a later one to an earlier one.
const (
	Held      Source = 'a' // by sessions; the place is a session
	Root      Source = 'b' // the root task of a run whose pre-job hook has not passed
	Delayed   Source = 'c' // until a time; the place is a route, as are the next ones
	Recovered Source = 'd'
	Waiting   Source = 'e'
	Staged    Source = 'f' // children of parents that have succeeded, where they are not among the waiting ones
	Failed    Source = 'g'
	End       Source = 'h'
)

// Cursor says where a page begins: in a source, at a place of it, behind so many tasks of that
// place. What these count is up to the store. The zero Cursor is that of the first page.
type Cursor struct {
	Source Source
	Place  string
	At     int64
	Within int64
}

// String is the form of the cursor that callers get; "" for the end.
func (c Cursor) String() string {
	if c.Source == End {
		return ""
	}
	return string(
		rune(c.Source),
	) + "." + strconv.FormatInt(
		c.At,
		10,
	) + "." + strconv.FormatInt(
		c.Within,
		10,
	) + "." + c.Place
}

// Parse reads a cursor. The error is a [*store.FieldError].
func Parse(s string) (Cursor, error) {
	if s == "" {
		return Cursor{Source: Held}, nil
	}
	parts := strings.SplitN(s, ".", 4)
	bad := &store.FieldError{Field: "Cursor", Reason: "is none that a page gave"}
	if len(parts) != 4 || len(parts[0]) != 1 {
		return Cursor{}, bad
	}
	c := Cursor{Source: Source(parts[0][0]), Place: parts[3]}
	var err, err2 error
	c.At, err = strconv.ParseInt(parts[1], 10, 64)
	c.Within, err2 = strconv.ParseInt(parts[2], 10, 64)
	if err != nil || err2 != nil || c.At < 0 || c.Within < 0 || c.Source < Held || c.Source >= End || c.String() != s {
		return Cursor{}, bad
	}
	return c, nil
}

// Filter selects tasks of a run.
type Filter struct {
	*store.TasksParams
	Unfailed bool // without the failures

	now    time.Time
	active bool // tasks wait
	held   bool // the run itself keeps them from running
	pauses *store.PauseSet
}

// NewFilter selects what p asks for of a run in that state, with what is paused in its partition.
// now is the time of the store.
func NewFilter(
	p *store.TasksParams, now time.Time, status statuses.Status, paused bool, pauses *store.PauseSet,
) Filter {
	return Filter{
		TasksParams: p,
		now:         now,
		active:      status == statuses.Running || status == statuses.Starting,
		held:        paused || status == statuses.Starting,
		pauses:      pauses,
	}
}

// Source reports whether any task of a source can be selected. What a run that is not active left
// waiting is cancelled.
func (f *Filter) Source(s Source) bool {
	switch s {
	case Held:
		return f.Status == "" || f.Status == statuses.TaskRunning
	case Failed:
		return !f.Unfailed && (f.Status == "" || f.Status == statuses.TaskFailed)
	case Delayed:
		return f.active && f.wants(statuses.TaskDelayed, statuses.TaskRetrying, statuses.TaskExpired)
	}
	return f.active && f.wants(statuses.TaskWaiting, statuses.TaskHeld, statuses.TaskExpired)
}

// wants reports whether tasks of one of the statuses are selected.
func (f *Filter) wants(some ...statuses.TaskStatus) bool {
	return f.Status == "" || slices.Contains(some, f.Status)
}

// Route reports whether tasks of a source and route can be selected.
func (f *Filter) Route(s Source, r store.Route) bool {
	if s == Root || s == Recovered || s == Waiting || s == Staged {
		if !f.wants(f.waiting(r), statuses.TaskExpired) {
			return false
		}
	}
	return r.Counted() && (f.Queue == "" || f.Queue == r.Queue) && (f.Set == "" || f.Set == r.Set) &&
		(f.Kind == "" || f.Kind == r.Kind)
}

// Task reports whether a task is selected, of a source and route that can be.
func (f *Filter) Task(s Source, r store.Route, t *store.Task) bool {
	return (f.ID == "" || f.ID == t.ID) && (!f.Claimed || t.Claimed) && (f.Status == "" || f.Status == f.StatusOf(s, r, t))
}

// Found reports whether a listing that has found so many tasks has the one that is sought.
func (f *Filter) Found(tasks int) bool { return f.ID != "" && tasks > 0 }

// StatusOf is where a task of a source and route is.
func (f *Filter) StatusOf(s Source, r store.Route, t *store.Task) statuses.TaskStatus {
	switch {
	case s == Held:
		return statuses.TaskRunning
	case s == Failed:
		return statuses.TaskFailed
	case t.Expired(f.now):
		return statuses.TaskExpired
	case s == Delayed && t.Retry > 0:
		return statuses.TaskRetrying
	case s == Delayed:
		return statuses.TaskDelayed
	}
	return f.waiting(r)
}

// waiting is where tasks of a route are that wait for no time.
func (f *Filter) waiting(r store.Route) statuses.TaskStatus {
	if f.held || len(f.pauses.Covering(r, nil)) > 0 {
		return statuses.TaskHeld
	}
	return statuses.TaskWaiting
}

// Progress adds to the record of a running task what its session says of it.
func Progress(r *store.TaskRecord, run store.RunID, s *store.SessionRecord) {
	r.Worker = s.Worker.Name
	for i := range s.Running {
		if t := &s.Running[i]; t.Run == run && t.ID == r.Task.ID {
			r.Since, r.Progress = t.Since, t.Progress
		}
	}
}
