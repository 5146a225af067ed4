package sandbox

import (
	"errors"
	"slices"
	"strings"

	"go.starlark.net/starlark"
)

// Failure is the bad end of a call.
type Failure struct {
	Message   string
	Traceback []Frame // the function that was called first, the place of the failure last
	Cause     error   // of a builtin, or of the limits; nil for an error of the script
}

// Frame is a function that ran, and where in it.
type Frame struct {
	Function     string
	Line, Column int
}

// Error implements error.
func (f *Failure) Error() string { return f.Message }

// Unwrap returns the cause.
func (f *Failure) Unwrap() error { return f.Cause }

const (
	maxMessage = 1 << 10 // bytes
	maxFrames  = 16      // the first half and the last
)

// failure makes a Failure of the error of a thread.
func (m *meter) failure(err error) *Failure {
	f := &Failure{Message: err.Error(), Cause: m.cause}
	var eval *starlark.EvalError
	if errors.As(err, &eval) {
		f.Message, f.Traceback = eval.Msg, frames(eval.CallStack)
		if f.Cause == nil {
			f.Cause = eval.Unwrap()
		}
	}
	if m.cause != nil {
		f.Message = m.cause.Error()
	}
	f.Message = cut(f.Message)
	return f
}

// frames leaves out builtins, and the middle of a deep stack.
func frames(stack starlark.CallStack) (all []Frame) {
	for _, fr := range stack {
		if fr.Pos.Filename() == fileName && fr.Pos.Line > 0 {
			all = append(all, Frame{fr.Name, int(fr.Pos.Line), int(fr.Pos.Col)})
		}
	}
	if len(all) > maxFrames {
		all = slices.Delete(all, maxFrames/2, len(all)-maxFrames/2)
	}
	return all
}

func cut(s string) string {
	if len(s) > maxMessage {
		s = s[:maxMessage] + "…"
	}
	return strings.ToValidUTF8(s, "\uFFFD")
}
