package sandbox

import (
	"context"
	"errors"
	"fmt"
	"time"

	"go.starlark.net/starlark"
)

// Errors of the limits.
var (
	ErrSteps = errors.New("too many steps")
	ErrTime  = errors.New("took too long")
)

// slice is after how many steps the clock and the context are looked at: about a millisecond.
const slice = 20_000

// often is after how many charges the clock is looked at, too: an operation can take longer than
// its steps say, for example in a dict whose keys have the same hash.
const often = 128

// meter bounds one call. It is a local of its thread.
type meter struct {
	ctx      context.Context
	limits   Limits
	deadline time.Time
	host     any
	spent    int   // how often
	cause    error // why the thread was cancelled
}

const meterKey = "meter"

func newThread(ctx context.Context, limits Limits, host any) (*starlark.Thread, *meter) {
	m := &meter{ctx: ctx, limits: limits, deadline: time.Now().Add(limits.Time), host: host}
	thread := &starlark.Thread{OnMaxSteps: m.look}
	thread.SetLocal(meterKey, m)
	thread.SetMaxExecutionSteps(min(limits.Steps, slice))
	return thread, m
}

// HostOf returns the host of the call that a thread runs.
func HostOf(thread *starlark.Thread) any { return meterOf(thread).host }

// ContextOf returns the context of the call that a thread runs.
func ContextOf(thread *starlark.Thread) context.Context { return meterOf(thread).ctx }

func meterOf(thread *starlark.Thread) *meter { return thread.Local(meterKey).(*meter) }

// look is called by the interpreter at the end of a slice.
func (m *meter) look(thread *starlark.Thread) {
	switch {
	case thread.Steps >= m.limits.Steps:
		m.cause = m.tooMany()
	case m.ctx.Err() != nil:
		m.cause = context.Cause(m.ctx)
	case time.Now().After(m.deadline):
		m.cause = m.tooLong()
	default:
		thread.SetMaxExecutionSteps(min(m.limits.Steps, thread.Steps+slice))
		return
	}
	thread.Cancel(m.cause.Error())
}

func (m *meter) tooMany() error { return fmt.Errorf("%w: more than %d", ErrSteps, m.limits.Steps) }

func (m *meter) tooLong() error { return fmt.Errorf("%w: more than %v", ErrTime, m.limits.Time) }

// Spend charges a thread for an operation that is about to begin. Its errors are [ErrSteps] and
// [ErrTime].
func Spend(thread *starlark.Thread, steps uint64) error {
	m := meterOf(thread)
	if thread.Steps += min(steps, m.limits.Steps); thread.Steps >= m.limits.Steps {
		return m.tooMany()
	}
	if m.spent++; m.spent%often == 0 && time.Now().After(m.deadline) {
		return m.tooLong()
	}
	return nil
}

// left is how many steps a thread may still take.
func left(thread *starlark.Thread) uint64 {
	limit := meterOf(thread).limits.Steps
	return limit - min(thread.Steps, limit)
}
