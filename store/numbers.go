package store

import (
	"fmt"
	"time"

	"github.com/rollcall-go/rollcall/store/bounds"
)

var (
	endOfTime   = time.Date(10000, 1, 1, 0, 0, 0, 0, time.UTC)
	startOfTime = time.Time{}
)

// ValidateTime checks that a time is in the years 1 to 9999 of UTC, as in JSON and RFC 3339. The
// zero time is valid. A duration needs no check: a Store can keep the longest, 292 years. The error
// is a [*FieldError] for the field.
func ValidateTime(field string, t time.Time) error {
	if t.Before(startOfTime) || !t.Before(endOfTime) {
		return &FieldError{Field: field, Reason: "is not in the years 1 to 9999"}
	}
	return nil
}

// DueTime returns t rounded up to a millisecond, as a Store keeps it. So nothing is due before its
// time, and nothing that was delayed is due again at once.
func DueTime(t time.Time) time.Time {
	due := t.UTC().Round(0).Truncate(time.Millisecond)
	if due.Before(t) {
		due = due.Add(time.Millisecond)
	}
	if last := endOfTime.Add(-time.Millisecond); due.After(last) {
		return last
	}
	return due
}

// ValidateWeight checks the share of a run in a queue, or of a queue in a worker:
// [bounds.MinWeight] to [bounds.MaxWeight]. The error is a [*FieldError] for the field "Weight".
func ValidateWeight(w float64) error {
	switch {
	case !(w > 0): // refuses NaN too
		return &FieldError{Field: "Weight", Reason: "is not positive"}
	case w < bounds.MinWeight || w > bounds.MaxWeight:
		return &FieldError{Field: "Weight", Reason: "is not within 0.000001 to 1000000"}
	}
	return nil
}

// validateNumber checks the number of a call in a stream: 1 to [bounds.MaxNumber]. The error is a
// [*FieldError] for the field "Number".
func validateNumber(n int64) error {
	switch {
	case n < 1:
		return &FieldError{Field: "Number", Reason: "is below 1"}
	case n > bounds.MaxNumber:
		return &FieldError{Field: "Number", Reason: fmt.Sprintf("is above %d", int64(bounds.MaxNumber))}
	}
	return nil
}

// validateDue checks the due time of a periodic job: the zero time for none, or one from 1970 on.
func validateDue(field string, t time.Time) error {
	if !t.IsZero() && t.UnixMilli() <= 0 {
		return &FieldError{Field: field, Reason: "is before 1970"}
	}
	return ValidateTime(field, t)
}
