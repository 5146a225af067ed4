package semaphore

import (
	"errors"
	"fmt"
	"strings"
	"time"
)

// Errors of this package. A lost lease gives [store.ErrLeaseLost], bad input a [*store.FieldError].
var (
	// ErrNotAcquired is returned by TryAcquire when no place is free, and by Acquire when its context
	// ended before it got one. The error is a [*NotAcquiredError]. [store.ErrUnavailable] is
	// different: it means that the store does not answer.
	ErrNotAcquired = errors.New("semaphore not acquired")

	// ErrSkipped is returned by Gate.Run when it did not call its function, but nothing is wrong:
	// CanRun did not allow it, no place was free, or its context was cancelled before it got one. If
	// no place was free, the error is also a [*NotAcquiredError].
	ErrSkipped = errors.New("gate skipped")
)

// NotAcquiredError says who holds the semaphore. It matches [ErrNotAcquired].
type NotAcquiredError struct {
	Key     string
	Holders []Holder // sorted by the end of the lease; at most [bounds.MaxShownHolders]
	Ahead   int      // how many wait in the line before this claim
}

// Error implements error.
func (e *NotAcquiredError) Error() string {
	var b strings.Builder
	fmt.Fprintf(&b, "semaphore %q is taken", e.Key)
	for i, h := range e.Holders {
		if i == 3 {
			fmt.Fprintf(&b, ", and %d more", len(e.Holders)-i)
			break
		}
		fmt.Fprintf(&b, ", slot %d by %q until %s", h.Slot, h.Holder, h.Expires.UTC().Format(time.RFC3339))
	}
	if e.Ahead > 0 {
		fmt.Fprintf(&b, ", %d wait", e.Ahead)
	}
	return b.String()
}

// Is reports whether target is [ErrNotAcquired].
func (e *NotAcquiredError) Is(target error) bool { return target == ErrNotAcquired }
