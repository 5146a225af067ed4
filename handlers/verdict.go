package handlers

import (
	"errors"
	"fmt"
	"time"
)

// verdict is an error with which a handler or hook decides its result.
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

// Permanent makes an error that fails the task for good: it is not tried again, even if retries are
// left. In a PreJob hook it fails the run. In a PostJob hook it fails the hook. Permanent(nil) is
// nil.
func Permanent(err error) error {
	if err == nil {
		return nil
	}
	return &verdict{kind: verdictPermanent, cause: err}
}

// RetryAfter makes an error that fails the attempt like a plain error, but sets the delay before
// the next attempt, in place of the backoff. It is counted as an attempt: if the retries are used
// up, the task fails. A negative delay means 0. err may be nil.
func RetryAfter(delay time.Duration, err error) error {
	return &verdict{kind: verdictRetryAfter, delay: max(0, delay), cause: err}
}

// Snooze makes an error that runs the task again after the delay. It is not counted as an attempt,
// but a task that snoozes more often than Attributes.MaxSnoozes fails. [Attempt.Snoozes] says how
// often it did so before, so that the delay can grow. In a hook it is counted as an attempt. A
// negative delay means 0.
func Snooze(delay time.Duration) error {
	return &verdict{kind: verdictSnooze, delay: max(0, delay)}
}

// CancelJob makes an error that stops the whole run, with err as the reason. The task itself counts
// as cancelled. In a hook it is the same as [Permanent]. err may be nil.
func CancelJob(err error) error {
	return &verdict{kind: verdictCancelJob, cause: err}
}

// SkipRun makes an error for PreJob hooks: the run ends as skipped, and no task starts. Anywhere
// else it is a permanent failure.
func SkipRun(reason string) error {
	return &verdict{kind: verdictSkipRun, cause: errors.New(reason)}
}

// Error implements error. It returns the text of the handler's own error if there is one: lists of
// failures show it.
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

// verdictOf finds the outermost verdict in err. If there is none, err is a plain failure: a verdict
// with no kind. A panic is a plain failure, too, even if its value is a verdict.
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
