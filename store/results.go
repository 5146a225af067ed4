package store

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/rollcall-go/rollcall/store/bounds"
)

// TaskResult is the result that a task set with its success.
type TaskResult struct {
	ID    string // of the task
	Set   string
	Kind  string // under which the task was enqueued
	At    time.Time
	Data  []byte // JSON
	Place int64  // in the order of the results of its set and kind; chosen by the store, positive
}

// Group returns the set and the kind of the result, in the form in which stores sort them.
func (r *TaskResult) Group() string { return r.Set + "/" + r.Kind }

// Cursor returns the [ResultsParams].After of the page that begins behind the result.
func (r *TaskResult) Cursor() string { return r.Group() + "/" + strconv.FormatInt(r.Place, 10) }

// Size returns how many bytes of [bounds.MaxResults] the result takes.
func (r *TaskResult) Size() int { return len(r.ID) + len(r.Data) + bounds.ResultCost }

// ParseResultCursor returns the group and the place of a cursor that is not empty; false if no
// result can have it.
func ParseResultCursor(cursor string) (group string, place int64, ok bool) {
	at := strings.LastIndexByte(cursor, '/')
	if at < 0 {
		return "", 0, false
	}
	group = cursor[:at]
	set, kind, ok := strings.Cut(group, "/")
	place, err := strconv.ParseInt(cursor[at+1:], 10, 64)
	ok = ok && ValidateName("", set) == nil && ValidateName("", kind) == nil && err == nil &&
		place > 0 && place <= bounds.MaxNumber
	return group, place, ok
}

// ResultsParams ask for a page of the results of a run, or for one of them.
type ResultsParams struct {
	Run   RunID
	ID    string // only that of the task with this ID; "" for all
	Kind  string // only those of the kind; "" for all
	After string // Next of the page before, or the Cursor of a result; "" for the first page
	Limit int    // at most so many are looked at; 1 to [bounds.MaxPage]
}

// Validate returns a [*FieldError] for each bad field, joined.
func (p *ResultsParams) Validate() error {
	var f faults
	f.check(p.Run.validate(), "")
	if p.ID != "" {
		f.check(ValidateTaskID(p.ID), "")
	}
	if p.Kind != "" {
		f.name("Kind", p.Kind)
	}
	if p.After != "" {
		_, _, ok := ParseResultCursor(p.After)
		f.add(!ok, "After", fmt.Sprintf("%.80q is not the cursor of a result", p.After))
	}
	f.check(within("Limit", p.Limit, 1, bounds.MaxPage), "")
	return f.err()
}

// ResultsReply is a page of results.
type ResultsReply struct {
	Results []TaskResult
	Next    string // After of the next page; "" at the end
}
