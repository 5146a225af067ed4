package handlers

import (
	"context"
	"fmt"
	"time"

	"github.com/rollcall-go/rollcall/internal/encode"
	"github.com/rollcall-go/rollcall/internal/execute"
	"github.com/rollcall-go/rollcall/internal/guard"
	"github.com/rollcall-go/rollcall/store"
	"github.com/rollcall-go/rollcall/store/verdicts"
)

// hook says what results of one hook mean.
type hook struct {
	call   func(context.Context, *Run) error
	done   verdicts.Verdict // it passed
	giveUp verdicts.Verdict // it failed for good
}

func (s *boundSet) hook(kind string) hook {
	if kind == store.KindPreJob {
		return hook{s.hooks.PreJob, verdicts.Begin, verdicts.Abort}
	}
	return hook{s.hooks.PostJob, verdicts.HookDone, verdicts.HookDone}
}

// executeHook runs one delivery of a hook. If the set has no such hook, it passes at once: the
// process that started the run had another version of the set.
func (s *boundSet) executeHook(ctx context.Context, out *store.Outcome, x *executor, expires func(time.Time)) {
	h := s.hook(out.Lease.Lane.Route.Kind)
	if h.call == nil {
		out.Verdict = h.done
		return
	}
	values := x.live.at(s.index).values()
	attrs := &values
	if err := poisoned(&out.Task, attrs); err != nil {
		fail(out, h.giveUp, err)
		return
	}
	ended := func(err error) {
		verdict, over := interrupted(ctx)
		switch {
		case err == nil:
			out.Verdict = h.done
		case over:
			out.Verdict = verdict
		default:
			decided(out, h.giveUp, func() { judgeHook(out, h, attrs, err) })
		}
	}
	ended(
		guard.Call(
			func() error { return s.runHook(ctx, h, attrs, out, x, expires) }, func() { ended(Permanent(guard.ErrGoexit)) },
		),
	)
}

func (s *boundSet) runHook(
	ctx context.Context, h hook, attrs *Attributes, out *store.Outcome, x *executor, expires func(time.Time),
) error {
	lane := &out.Lease.Lane
	rec, err := x.Runtime.Run(ctx, lane.Run)
	if err != nil {
		return fmt.Errorf("read run %s/%d: %w", lane.Run.Job, lane.Run.Number, err)
	}
	run := newRun(rec, x.Values)
	run.postJob = h.done == verdicts.HookDone
	run.Retry, run.attrs = out.Task.Retry, attrs
	run.log = x.Logger.With(
		"job", run.Job, "run", run.Number, "kind", lane.Route.Kind, "queue", lane.Route.Queue, "retry", run.Retry,
	)
	ctx = context.WithValue(encode.Extract(ctx, x.Enqueue.Propagator, rec.Headers), execute.ManagerKey{}, x.Manager)
	if limit := attrs.Timeout; limit > 0 {
		var cancel context.CancelFunc
		at := time.Now().Add(limit)
		ctx, cancel = context.WithDeadlineCause(ctx, at, &timeoutError{limit})
		defer cancel()
		if expires != nil {
			expires(at)
		}
	}
	if err := h.call(ctx, run); err != nil {
		return explained(ctx, err)
	}
	out.Result = run.result
	return nil
}

// judgeHook decides what a failed attempt of a hook means.
func judgeHook(out *store.Outcome, h hook, attrs *Attributes, err error) {
	v := verdictOf(err)
	switch {
	case v.kind == verdictSkipRun && h.done == verdicts.Begin:
		fail(out, verdicts.Skip, v)
	case v.kind == verdictPermanent, v.kind == verdictCancelJob, v.kind == verdictSkipRun:
		fail(out, h.giveUp, err)
	default:
		backoff := func() time.Duration { return attrs.Backoff.Delay(out.Task.Retry) }
		retry(out, v, err, attrs.MaxRetries, backoff, h.giveUp)
	}
}
