package handlers

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/rollcall-go/rollcall/internal/execute"
	"github.com/rollcall-go/rollcall/internal/guard"
	"github.com/rollcall-go/rollcall/internal/plural"
	"github.com/rollcall-go/rollcall/store"
	"github.com/rollcall-go/rollcall/store/verdicts"
)

// Stored texts are cut to this many bytes.
const (
	maxErrorText = 2 << 10
	maxStackText = 8 << 10
)

// settle decides the outcome of an attempt that ended with err. The attempt is nil if there was a
// panic while it was made. attrs are its attributes in both cases.
func (k *boundKind) settle(ctx context.Context, out *store.Outcome, a *Attempt, attrs *Attributes, err error) {
	var all *effects
	var counters map[string]int64
	var written []store.Write
	var result []byte
	var undeclared, incomplete error
	if a != nil {
		if !a.effects.CompareAndSwap(nil, overEffects) {
			all = a.effects.Load()
			counters, undeclared = all.tally.end()
			written = all.writes.end()
			result = all.result.end()
			incomplete = all.children.end()
		}
		if err == nil {
			err = Permanent(undeclared)
		}
		if m := a.meter.Swap(overMeter); m != nil {
			m.End()
		}
		if err == nil {
			err = incomplete
		} else {
			err = explained(&a.ctx, err)
		}
		a.ctx.end()
	}
	if all != nil {
		if err == nil {
			out.Children, incomplete = all.children.finish(ctx, a)
			err = incomplete
		}
		out.Staged = all.children.staged // with every verdict: if the attempt failed, the store removes them
	}
	if err == nil {
		out.Verdict, out.Counters, out.Writes = verdicts.Success, counters, written
		out.Result, out.Keep = attrs.ResultRetention.of(result)
		return
	}
	if verdict, over := interrupted(ctx); over {
		out.Verdict = verdict
		return
	}
	if !refusedChildren(out, incomplete) {
		decided(out, verdicts.Fail, func() { judge(out, a, attrs, err) })
	}
}

// memoryWait is after what time a task runs again for whose children the store had no memory.
const memoryWait = time.Second

// refusedChildren says what the store's refusal of children makes of their attempt, and reports
// whether it decides. The store can refuse them because the run was stopped, the lease was lost,
// staged children were lost, or it has no memory. It may know this before the worker does. Only an
// error of staging counts here: an error that the handler returned may be about another job.
func refusedChildren(out *store.Outcome, incomplete error) bool {
	switch {
	case errors.Is(incomplete, store.ErrChildrenLost):
		out.Verdict = verdicts.Snooze // again at once, and not counted
	case errors.Is(incomplete, store.ErrOutOfMemory):
		out.Verdict, out.Delay = verdicts.Snooze, memoryWait // not counted
	case errors.Is(incomplete, store.ErrLeaseLost):
	case errors.Is(incomplete, store.ErrJobStopped):
		out.Verdict = verdicts.Cancel
	default:
		return false
	}
	return true
}

// decided calls a function that decides about a failure. It calls code of the user: functions of
// attributes and methods of errors. If they panic or end the goroutine, the verdict is giveUp.
func decided(out *store.Outcome, giveUp verdicts.Verdict, decide func()) {
	failed := func(err error) { fail(out, giveUp, err) }
	err := guard.Call(func() error {
		decide()
		return nil
	}, func() { failed(guard.ErrGoexit) })
	if err != nil {
		failed(err)
	}
}

// explained adds the timeout to the error of a handler or hook if its time was over.
func explained(ctx context.Context, err error) error {
	var expired *timeoutError
	if err == nil || !errors.As(context.Cause(ctx), &expired) {
		return err
	}
	return &expiredError{expired, err}
}

// interrupted returns the verdict if the worker cancelled the context of the attempt; otherwise
// false.
func interrupted(ctx context.Context) (verdicts.Verdict, bool) {
	cause := context.Cause(ctx)
	switch {
	case cause == nil:
		return 0, false
	case errors.Is(cause, store.ErrLeaseLost):
		return 0, true
	case errors.Is(cause, store.ErrJobStopped), errors.Is(cause, store.ErrTaskCancelled):
		return verdicts.Cancel, true
	}
	return verdicts.Release, true // ErrShutdown, or another end of the context given by the worker
}

// judge decides what a failed attempt means for the task.
func judge(out *store.Outcome, a *Attempt, attrs *Attributes, err error) {
	v := verdictOf(err)
	switch v.kind {
	case verdictPermanent, verdictSkipRun:
		fail(out, verdicts.Fail, err)
	case verdictCancelJob:
		fail(out, verdicts.StopRun, err)
	case verdictSnooze:
		snooze(out, v, attrs)
	default:
		if a == nil {
			values := attrs.values()
			a = &Attempt{Retry: out.Task.Retry, attrs: &values}
		}
		retry(out, v, err, a.maxRetries(), a.backoff, verdicts.Fail)
	}
}

func snooze(out *store.Outcome, v *verdict, attrs *Attributes) {
	if out.Task.Snoozes >= attrs.MaxSnoozes {
		fail(out, verdicts.Fail, fmt.Errorf("snoozed more than %s", plural.Of(attrs.MaxSnoozes, "time")))
		return
	}
	out.Task.Snoozes++
	out.Verdict, out.Delay = verdicts.Snooze, v.delay
}

// retry decides that a task or hook is tried again; if its retries are used up, the verdict is
// giveUp.
func retry(out *store.Outcome, v *verdict, err error, retries int, backoff func() time.Duration, giveUp verdicts.Verdict) {
	if out.Task.Retry >= retries {
		fail(out, giveUp, err)
		return
	}
	out.Task.Retry++
	fail(out, verdicts.Retry, err)
	switch v.kind {
	case verdictRetryAfter, verdictSnooze:
		out.Delay = v.delay
	default:
		out.Delay = max(0, backoff())
	}
}

// fail sets a verdict with the text of an error, and with the stack if the error is a panic.
func fail(out *store.Outcome, verdict verdicts.Verdict, err error) {
	out.Verdict, out.Error = verdict, execute.Cut(err.Error(), maxErrorText)
	var p *PanicError
	if errors.As(err, &p) {
		out.Stack = execute.Cut(string(p.Stack), maxStackText)
	}
}
