package script

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/rollcall-go/rollcall/handlers/script/internal/sandbox"
)

// Errors of the limits. An [*Error] matches them.
var (
	// ErrSteps says that a call took more steps than [Options].Steps.
	ErrSteps = sandbox.ErrSteps
	// ErrTime says that a call took longer than [Options].Timeout.
	ErrTime = sandbox.ErrTime
)

// Error is the bad end of a call of a script. A verdict that the script chose, such as snooze, is
// in its chain, so handlers and hooks can return the Error as it is. If the context of the call
// ended, its cause is in the chain.
type Error struct {
	Function  string  // that the host called
	Message   string  // at most about 1 KiB
	Traceback []Frame // that function first, the place of the error last; of a deep stack the ends
	cause     error
}

// Frame is a function of the script that ran, and where in it: lines and columns begin with 1.
type Frame struct {
	Function     string
	Line, Column int
}

// Error implements error: the text has the message and the traceback, in one line.
func (e *Error) Error() string {
	var b strings.Builder
	fmt.Fprintf(&b, "script: %s: %s", e.Function, e.Message)
	for i, f := range slices.Backward(e.Traceback) {
		sep := " < "
		if i == len(e.Traceback)-1 {
			sep = " (at "
		}
		fmt.Fprintf(&b, "%s%d:%d in %s", sep, f.Line, f.Column, f.Function)
	}
	if len(e.Traceback) > 0 {
		b.WriteByte(')')
	}
	return b.String()
}

// Unwrap returns the verdict, the limit, the end of the context or the error of a called function
// of the host; nil for an error of the script itself.
func (e *Error) Unwrap() error { return e.cause }

// failed makes an Error of what a call of the sandbox returned.
func failed(function string, err error) error {
	e := &Error{Function: function, Message: err.Error()}
	var f *sandbox.Failure
	if errors.As(err, &f) {
		e.cause = f.Cause
		for _, fr := range f.Traceback {
			e.Traceback = append(e.Traceback, Frame(fr))
		}
	}
	return e
}
