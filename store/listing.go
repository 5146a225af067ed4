package store

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/rollcall-go/rollcall/store/bounds"
	"github.com/rollcall-go/rollcall/store/statuses"
)

// RunsParams ask for a page of the runs of one partition.
type RunsParams struct {
	Partition int
	Statuses  []statuses.Status // only runs in one of these; none means all
	Job       string            // only runs of this job, in the order of their numbers; "" for all
	Prefix    string            // only runs of jobs whose name begins so
	Set       string            // only runs of this handler set; "" for all
	Labels    map[string]string // only runs that have all of these
	Held      bool              // only runs of which [RunRecord.Held] is true
	Still     time.Duration     // only active runs that did not move for this long; 0 for all
	Oldest    bool              // those that changed least recently come first
	Details   bool              // also Args, Headers, Counters, Result and Reporting
	After     Place             // Next of the page before, or the Place of an entry; zero for the first page
	Limit     int               // at most so many runs are looked at; 1 to [bounds.MaxPage]
}

// Validate returns a [*FieldError] for each bad field, joined.
func (p *RunsParams) Validate() error {
	var f faults
	f.check(validateStatuses(p.Statuses), "")
	if p.Job != "" {
		f.check(ValidateJobName(p.Job), "")
	}
	if p.Set != "" {
		f.name("Set", p.Set)
	}
	f.check(ValidateLabels(p.Labels), "")
	f.add(p.Still < 0, "Still", "is negative")
	f.check(p.After.validate(), "")
	f.check(within("Limit", p.Limit, 1, bounds.MaxPage), "")
	return f.err()
}

// Match reports whether a run belongs to the listing; now is the store's clock. It is for
// implementers.
func (p *RunsParams) Match(r *RunRecord, now time.Time) bool {
	return (len(p.Statuses) == 0 || slices.Contains(p.Statuses, r.Status)) && (p.Job == "" || p.Job == r.ID.Job) &&
		strings.HasPrefix(r.ID.Job, p.Prefix) && (p.Set == "" || p.Set == r.Set) && hasLabels(r.Labels, p.Labels) &&
		(!p.Held || r.Held()) && (p.Still == 0 || !r.Status.Final() && now.Sub(r.Moved) >= p.Still)
}

// Trim removes what a listing without Details leaves out. It is for implementers.
func (r *RunRecord) Trim() {
	r.Args, r.Headers, r.Counters, r.Result, r.Reporting = nil, nil, nil, nil, nil
}

// RunPage is a page of runs.
type RunPage struct {
	Runs []RunEntry
	Next Place // After of the next page; zero at the end
}

// RunEntry is one run of a page.
type RunEntry struct {
	Run   RunRecord
	Place Place // After of the page that begins behind this run
}

func validateStatuses(statuses []statuses.Status) error {
	var f faults
	for i, s := range statuses {
		f.add(!s.Valid(), fmt.Sprintf("Statuses[%d]", i), "is unknown")
	}
	return f.err()
}

// Place is where a run or a job is in a listing by the last change.
type Place struct {
	Changed int64  // when it changed last, in ms since 1970
	Number  int64  // of the run: the order of those that changed in the same ms
	Name    string // of the job, likewise
}

// Compare orders places: the newest first, or with oldest the other way round.
func (p Place) Compare(o Place, oldest bool) int {
	if oldest {
		p, o = o, p
	}
	return cmp.Or(cmp.Compare(o.Changed, p.Changed), cmp.Compare(o.Number, p.Number), cmp.Compare(o.Name, p.Name))
}

func (p Place) validate() error {
	const end = 1e13 // no clock of a store shows that
	if p.Changed < 0 || p.Changed >= end || p.Number < 0 {
		return &FieldError{Field: "After", Reason: "is no place that a page gave"}
	}
	return nil
}

// Place is where the run is in a listing.
func (r *RunRecord) Place() Place { return Place{Changed: r.Changed.UnixMilli(), Number: r.ID.Number} }

// ValidateLabels checks the labels of a job or run: at most [bounds.MaxLabels]. A key is a name by
// the rule of [ValidateName]. A value has up to [bounds.MaxLabelLen] bytes of valid UTF-8, which
// must all be visible, and do not begin or end with a space; it may be empty. The error is a
// [*FieldError] for the field "Labels", or "Labels[KEY]" for each bad key and value, joined.
func ValidateLabels(labels map[string]string) error {
	if len(labels) == 0 {
		return nil
	}
	var f faults
	f.add(len(labels) > bounds.MaxLabels, "Labels", fmt.Sprintf("are more than %d", bounds.MaxLabels))
	for key, value := range labels {
		field := fmt.Sprintf("Labels[%s]", strings.ToValidUTF8(key[:min(len(key), bounds.MaxNameLen)], "�"))
		if f.name(field, key); value != "" {
			f.check(validateSeen(field, value, bounds.MaxLabelLen), "")
		}
	}
	return f.err()
}

// hasLabels reports whether all wanted labels are there.
func hasLabels(labels, wanted map[string]string) bool {
	for key, value := range wanted {
		if has, ok := labels[key]; !ok || has != value {
			return false
		}
	}
	return true
}

// Failing reports whether the run has [HoldFailures]: it cannot end before somebody retries,
// discards or accepts its failures, or repeats or accepts its post-job hook.
func (r *RunRecord) Failing() bool {
	switch r.Status {
	case statuses.Starting, statuses.Running:
		return r.OnFailure == OnFailureHold && r.Counts.Failed > 0
	case statuses.Finishing:
		return r.OnFailure != OnFailureEnd && r.HookError != ""
	}
	return false
}

// Held reports whether only [HoldFailures] keeps the run from going on: nothing else is left.
func (r *RunRecord) Held() bool {
	return r.Failing() && r.Status != statuses.Starting && r.Counts.Remaining() == 0 && r.Holds == 0
}
