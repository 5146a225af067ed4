package handlers

import (
	"errors"
	"fmt"
	"time"
)

// verdict is an error by which a handler or hook decides what becomes of it.
type verdict struct {
	kind  verdictKind
	delay time.Duration
	cause error // may be nil
}

type verdictKind string

const (
	verdictPermanent  verdictKind = "permanent"
	verdictRetryAfter verdictKind = "retry after"
	verdictSnooze     verdictKind = "snooze"
	verdictCancelJob  verdictKind = "cancel job"
	verdictSkipRun    verdictKind = "skip run"
)

// Permanent fails the task for good: it is not tried again, whatever retries are
// left. In a PreJob hook it fails the run, in a PostJob hook it gives the hook up.
// Permanent(nil) is nil.
func Permanent(err error) error {
	if err == nil {
		return nil
	}
	return &verdict{kind: verdictPermanent, cause: err}
}

// RetryAfter fails the attempt like a plain error, and says how long to wait before the
// next instead of the backoff. It costs an attempt: when the retries are used
// up the task fails. A negative delay is 0; err may be nil.
func RetryAfter(delay time.Duration, err error) error {
	return &verdict{kind: verdictRetryAfter, delay: max(0, delay), cause: err}
}

// Snooze puts the task back for a while. It costs no attempt, but a task that
// snoozes more often than Attributes.MaxSnoozes fails. A hook that snoozes is
// retried after the delay, at the cost of an attempt. A negative delay is 0.
func Snooze(delay time.Duration) error {
	return &verdict{kind: verdictSnooze, delay: max(0, delay)}
}

// CancelJob stops the whole run, with err as the reason; the task itself counts as cancelled. In a
// hook it is the same as [Permanent]. err may be nil.
func CancelJob(err error) error {
	return &verdict{kind: verdictCancelJob, cause: err}
}

// SkipRun ends the run as skipped before any task has started, when a PreJob hook
// returns it. Anywhere else it is a permanent failure.
func SkipRun(reason string) error {
	return &verdict{kind: verdictSkipRun, cause: errors.New(reason)}
}

// Error implements error. It is the text of the handler's own error, where there
// is one: that is what failure lists show.
func (v *verdict) Error() string {
	switch {
	case v.cause != nil:
		return v.cause.Error()
	case v.delay > 0:
		return fmt.Sprintf("%s %v", v.kind, v.delay)
	}
	return string(v.kind)
}

// Unwrap returns the error that the handler gave.
func (v *verdict) Unwrap() error { return v.cause }

// verdictOf finds the outermost verdict in err. Without one it is a plain failure: a
// verdict with no kind. So is a panic, whatever its value: nobody decided anything by it.
func verdictOf(err error) *verdict {
	var v *verdict
	if errors.As(err, &v) && !panicked(err, v) {
		return v
	}
	return &verdict{cause: err}
}

// panicked reports whether the verdict is the value of a panic within err.
func panicked(err error, v *verdict) bool {
	var p *PanicError
	var value *verdict
	return errors.As(err, &p) && errors.As(p.Unwrap(), &value) && value == v
}
