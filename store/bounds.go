package store

import (
	"fmt"
	"time"
)

// Bounds of numbers and times, which every Store keeps exactly, or refuses with a [FieldError].
const (
	// MaxNumber is the highest number of a call in a stream.
	MaxNumber = 1<<53 - 1
	// MinWeight and MaxWeight bound the weight of a run, and of a queue.
	MinWeight = 1e-6
	MaxWeight = 1e6
)

var (
	endOfTime   = time.Date(10000, 1, 1, 0, 0, 0, 0, time.UTC)
	startOfTime = time.Time{}
)

// ValidateTime checks a time, the zero time too: it lies in the years 1 to 9999 of UTC, as those of JSON and RFC 3339 do. A
// duration needs no check: the longest, of 292 years, does not lead out of what a Store can keep. The error is a [*FieldError] for the field.
func ValidateTime(field string, t time.Time) error {
	if t.Before(startOfTime) || !t.Before(endOfTime) {
		return &FieldError{Field: field, Reason: "is not in the years 1 to 9999"}
	}
	return nil
}

// DueTime is the millisecond in which something is due, as a Store keeps it: t, rounded up. So nothing
// is due before its time, and what was put off is never due again at once.
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

// ValidateWeight checks the share of a run in a queue, or of a queue in a worker: [MinWeight] to [MaxWeight]. The error is a [*FieldError] for the field "Weight".
func ValidateWeight(w float64) error {
	switch {
	case !(w > 0): // refuses NaN too
		return &FieldError{Field: "Weight", Reason: "is not positive"}
	case w < MinWeight || w > MaxWeight:
		return &FieldError{Field: "Weight", Reason: "is not within 0.000001 to 1000000"}
	}
	return nil
}

// ValidateNumber checks the number of a call in a stream: 1 to [MaxNumber]. The error is a [*FieldError] for the field "Number".
func ValidateNumber(n int64) error {
	switch {
	case n < 1:
		return &FieldError{Field: "Number", Reason: "is below 1"}
	case n > MaxNumber:
		return &FieldError{Field: "Number", Reason: fmt.Sprintf("is above %d", int64(MaxNumber))}
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
