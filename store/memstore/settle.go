package memstore

import (
	"bytes"
	"context"
	"slices"
	"time"

	"github.com/rollcall-go/rollcall/store"
	"github.com/rollcall-go/rollcall/store/statuses"
	"github.com/rollcall-go/rollcall/store/verdicts"
)

// Settle reports outcomes. Each is applied only if its lease is still held.
func (s *backend) Settle(ctx context.Context, p store.SettleParams) (store.SettleReply, error) {
	part, err := s.at(ctx, p.Session.Partition)
	if err != nil {
		return store.SettleReply{}, err
	}
	defer part.unlock()

	sess := part.sessions[p.Session.ID]
	switch {
	case sess.behind(p.Answered):
		return store.SettleReply{}, store.ErrLeaseLost
	case p.Number == sess.settled:
		return copySettleReply(sess.settleReply), nil
	case p.Number < sess.settled:
		return store.SettleReply{}, store.ErrStale
	}
	reply := part.settle(sess, p)
	sess.settled, sess.settleReply = p.Number, copySettleReply(reply)
	return reply, nil
}

// settling is one batch of outcomes being applied.
type settling struct {
	*partition
	session *session
	worker  string
	now     time.Time
	reply   store.SettleReply
}

func (p *partition) settle(sess *session, params store.SettleParams) store.SettleReply {
	b := settling{partition: p, session: sess, worker: params.Worker, now: p.now()}
	// Tasks that are given back are applied first, in reverse order: each one is put at the front of
	// its lane, so they wait in the order in which they were fetched.
	for i := range slices.Backward(params.Outcomes) {
		if o := &params.Outcomes[i]; o.Verdict == verdicts.Release {
			b.apply(i, o)
		}
	}
	for i := range params.Outcomes {
		if o := &params.Outcomes[i]; o.Verdict != verdicts.Release {
			b.apply(i, o)
		}
	}
	p.history.add(params.Times)
	slices.Sort(b.reply.Lost)
	return b.reply
}

// apply redeems the lease first. A lease can be redeemed only once, so every verdict counts once
// (P5).
func (b *settling) apply(index int, o *store.Outcome) {
	if err := b.refuses(o); err != nil {
		b.reply.Refused = append(b.reply.Refused, store.Refusal{Index: index, Err: err})
		return
	}
	h, ok := b.session.redeem(o.Lease)
	if !ok {
		b.reply.Lost = append(b.reply.Lost, index)
		return
	}
	r := h.lane.run
	b.untally(&h)
	var ended bool
	if h.lane.route.Counted() {
		ended = b.task(r, &h, o)
		b.moved(r)
	} else {
		ended = b.hook(r, &h, o)
	}
	if ended {
		b.reply.Ended = append(b.reply.Ended, r.rec.ID)
	}
}

// refuses says why an outcome cannot be applied: a write is refused, or staged children are
// missing. It returns nil if it can be applied.
func (b *settling) refuses(o *store.Outcome) error {
	if len(o.Writes)+len(o.Staged) == 0 || o.Verdict != verdicts.Success {
		return nil
	}
	h := b.session.find(o.Lease)
	if h == nil || !h.lane.route.Counted() {
		return nil
	}
	if h.lane.run.rec.Status == statuses.Running && !h.complete(o.Staged) {
		return store.ErrChildrenLost
	}
	fresh := 0
	for i := range o.Writes {
		w := &o.Writes[i]
		in, err := b.valuesOf(w.Scope)
		if err == nil {
			err = in.refuses(w, fresh, b.now)
		}
		if err != nil {
			return err
		}
		if in[w.Name] == nil {
			fresh++
		}
	}
	return nil
}

// task applies the verdict for a counted task and reports whether its run ended, or is held now.
func (b *settling) task(r *run, h *holding, o *store.Outcome) bool {
	c := &r.rec.Counts
	c.Running--
	stopping := r.rec.Status == statuses.Stopping
	b.ledger.of(h.lane.route).Attempted(o.Verdict, stopping || h.asked)
	verdict := o.Verdict
	if stopping && verdict != verdicts.Success && verdict != verdicts.Fail || h.asked && verdict.Cancels() {
		verdict = verdicts.Cancel
	}
	switch verdict {
	case verdicts.Success:
		c.Succeeded++
		r.count(o.Counters)
		for i := range o.Writes {
			b.write(&o.Writes[i], b.now)
		}
		if result, ok := o.TaskResult(); ok {
			b.keep(r, result, o.Keep)
		}
		r.claims.settle(o.Task, b.now)
		if !stopping {
			b.publish(r, h, o)
		}
	case verdicts.Fail:
		c.Failed++
		r.claims.settle(o.Task, b.now)
		b.bury(r, o)
	case verdicts.Retry:
		r.rec.Retried++
		r.rec.RetryError = o.Error
		b.again(h, o)
	case verdicts.Snooze:
		b.again(h, o)
	case verdicts.Release:
		b.release(h, o)
	case verdicts.StopRun:
		c.Cancelled++
		return b.stop(r, o.Error, false, b.now)
	default:
		c.Cancelled++
		r.claims.settle(o.Task, b.now)
	}
	return b.conclude(r, b.now) || r.rec.Held()
}

// hook applies the verdict for a hook and reports whether its run ended, or is held now. It never changes the
// counts. If the run was stopped meanwhile, the verdict has no effect.
func (b *settling) hook(r *run, h *holding, o *store.Outcome) bool {
	if !r.awaits(h.lane.route) {
		return false
	}
	switch o.Verdict {
	case verdicts.Retry, verdicts.Snooze:
		if o.Verdict == verdicts.Retry {
			r.rec.RetryError = o.Error
		}
		b.again(h, o)
		return false
	case verdicts.Begin:
		return b.start(r, b.now)
	case verdicts.Skip:
		r.rec.Reason = o.Error
		b.cancelWaiting(r)
		b.finalise(r, statuses.Skipped, b.now)
		return true
	case verdicts.Abort:
		r.rec.Error = o.Error
		b.cancelWaiting(r)
		b.finalise(r, statuses.Failed, b.now)
		return true
	case verdicts.HookDone:
		r.rec.HookError, r.rec.Result = o.Error, bytes.Clone(o.Result)
		if r.rec.Failing() {
			b.moved(r)
			return true
		}
		b.finalise(r, r.rec.FinalStatus, b.now)
		return true
	}
	b.release(h, o)
	return false
}

// again puts a task behind the others, or delays it.
func (b *settling) again(h *holding, o *store.Outcome) {
	task := copyTask(o.Task)
	task.Recovered, task.Ready = false, b.now.Add(o.Delay)
	b.place(h.lane, task, b.now.Add(o.Delay), b.now)
}

// release puts a task back at the front of its list.
func (b *settling) release(h *holding, o *store.Outcome) {
	b.count(h.lane, 1, 0)
	if task := copyTask(o.Task); task.Recovered {
		h.lane.recovered.pushFront(task)
	} else {
		h.lane.waiting.pushFront(task)
	}
	b.enterRing(h.lane)
}

// count adds the counters of a task that succeeded. If a sum would leave the range of int64, it
// does not change.
func (r *run) count(counters map[string]int64) {
	for name, n := range counters {
		sum, ok := sumOf(r.rec.Counters[name], n)
		if !ok {
			continue
		}
		r.setCounter(name, sum)
	}
}

func (r *run) setCounter(name string, n int64) {
	if r.rec.Counters == nil {
		r.rec.Counters = make(map[string]int64)
	}
	r.rec.Counters[name] = n
}

// keep adds the result of a task to its run.
func (b *settling) keep(r *run, set store.TaskResult, retention store.ResultRetention) {
	r.results.keep(set, retention, b.now)
	if retention.Age > 0 {
		b.aging[r.rec.ID.Number] = r
	}
}

// bury keeps the dead letter of a task. A run keeps the first failures and the newest.
func (b *settling) bury(r *run, o *store.Outcome) {
	r.rec.Error = o.Error
	r.buried++
	r.failures = append(r.failures, store.Failure{
		Place:  r.buried,
		Lane:   o.Lease.Lane,
		Task:   copyTask(o.Task),
		Error:  o.Error,
		Stack:  o.Stack,
		Worker: b.worker,
		At:     b.now,
	})
	if len(r.failures) > r.failureCap {
		r.failures = slices.Delete(r.failures, r.failureCap/2, r.failureCap/2+1)
	}
	r.lastFailure = b.now
	b.failing[r.rec.ID.Number] = r
}
