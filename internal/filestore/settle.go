package filestore

import (
	"context"
	"slices"
	"strconv"

	"github.com/rollcall-go/rollcall/store"
	"github.com/rollcall-go/rollcall/store/statuses"
	"github.com/rollcall-go/rollcall/store/verdicts"
)

// held finds the task of a lease; nil if it is not held any more.
func (s *state) held(session string, l store.Lease) (*run, *task) {
	r, err := s.run(l.Lane.Run)
	if err != nil || l.Session != session {
		return nil, nil
	}
	for _, t := range r.Tasks {
		if t.Place == held && t.Lease == l {
			return r, t
		}
	}
	return nil, nil
}

// Stage stores children of a running task.
func (b *backend) Stage(ctx context.Context, p store.StageParams) error {
	return do(ctx, b, p, (*state).stage)
}

func (s *state) stage(p store.StageParams) error {
	r, t := s.held(p.Session.ID, p.Lease)
	switch {
	case s.Sessions[p.Session.ID] == nil || t == nil:
		return store.ErrLeaseLost
	case r.Status != statuses.Running:
		return store.ErrJobStopped
	}
	if repeat, err := p.StagedAt(s.stagedUnder(p.Lease, p.Route)); repeat || err != nil {
		return err
	}
	for _, it := range p.Items {
		r.Tasks = append(r.Tasks, &task{Item: it, Place: staged, Lease: p.Lease})
	}
	return nil
}

// stagedUnder counts what a delivery has staged under one route.
func (s *state) stagedUnder(l store.Lease, route store.Route) int {
	for _, st := range s.staged(l) {
		if st.Route == route {
			return st.Count
		}
	}
	return 0
}

// Settle reports outcomes.
func (b *backend) Settle(ctx context.Context, p store.SettleParams) (store.SettleReply, error) {
	return change(ctx, b, p, (*state).settle)
}

func (s *state) settle(p store.SettleParams) (reply store.SettleReply, err error) {
	sess, err := s.session(p.Session, p.Answered)
	switch {
	case err != nil:
		return reply, err
	case p.Number == sess.Settled:
		return sess.Reply.Settled, nil
	case p.Number < sess.Settled:
		return reply, store.ErrStale
	}
	apply := func(i int) {
		o := &p.Outcomes[i]
		r, t := s.held(p.Session.ID, o.Lease)
		if t == nil {
			reply.Lost = append(reply.Lost, i)
			return
		}
		if err := s.refuses(r, t, o); err != nil {
			reply.Refused = append(reply.Refused, store.Refusal{Index: i, Err: err})
			return
		}
		if s.redeem(r, t, o, p.Worker) {
			reply.Ended = append(reply.Ended, r.ID)
		}
	}
	// What is given back goes to the front, and so in reverse: it waits in the order as before.
	for i := range slices.Backward(p.Outcomes) {
		if p.Outcomes[i].Verdict == verdicts.Release {
			apply(i)
		}
	}
	for i := range p.Outcomes {
		if p.Outcomes[i].Verdict != verdicts.Release {
			apply(i)
		}
	}
	for _, t := range p.Times {
		sum := find(&s.Times, func(of *store.RouteTimes) bool { return of.Route == t.Route })
		sum.Route, sum.Times = t.Route, sum.Plus(t.Times)
	}
	slices.Sort(reply.Lost)
	sess.Settled, sess.Reply = p.Number, lastReply{Settled: reply}
	return reply, nil
}

// refuses says why an outcome cannot be applied as a whole; nil if it can.
func (s *state) refuses(r *run, t *task, o *store.Outcome) error {
	if o.Verdict != verdicts.Success || !t.Route.Counted() {
		return nil
	}
	for _, st := range o.Staged {
		if r.Status == statuses.Running && s.stagedUnder(o.Lease, st.Route) != st.Count {
			return store.ErrChildrenLost
		}
	}
	var fresh []store.Write
	for _, w := range o.Writes {
		in, err := s.values(w.Scope, w.Type)
		if err == nil {
			err = in.refuses(&w, fresh, s.now)
		}
		if err != nil {
			return err
		}
		fresh = append(fresh, w)
	}
	return nil
}

// redeem takes a task and all that it staged out of the list, and does what the verdict says. So an
// outcome counts once. It reports whether the run has ended, but for its post-job hook.
func (s *state) redeem(r *run, t *task, o *store.Outcome, worker string) (ended bool) {
	var children []*task
	r.drop(func(other *task) bool {
		if other.Place == staged && other.Lease == o.Lease {
			children = append(children, other)
			return true
		}
		return other == t
	})
	if t.Route.Counted() {
		return s.settleTask(r, t, children, o, worker)
	}
	return s.settleHook(r, t, o)
}

func (s *state) settleTask(r *run, t *task, children []*task, o *store.Outcome, worker string) (ended bool) {
	verdict := o.Verdict
	stopping := r.Status == statuses.Stopping
	if stopping && verdict != verdicts.Success && verdict != verdicts.Fail || t.Asked && verdict.Cancels() {
		verdict = verdicts.Cancel
	}
	s.figures(t.Route).Attempted(o.Verdict, stopping || t.Asked)
	switch verdict {
	case verdicts.Success:
		r.Counts.Succeeded++
		r.ended(o.Task, s.now)
		r.count(o.Counters)
		for i := range o.Writes {
			s.write(&o.Writes[i])
		}
		if result, ok := o.TaskResult(); ok {
			r.Results.keep(result, o.Keep, s.now)
		}
		if !stopping {
			s.publish(r, children, o)
		}
	case verdicts.Fail:
		r.Counts.Failed++
		r.ended(o.Task, s.now)
		r.bury(store.Failure{
			Lane: o.Lease.Lane, Task: o.Task, Error: o.Error, Stack: o.Stack, Worker: worker, At: s.now,
		})
	case verdicts.Retry:
		r.Retried++
		r.RetryError = o.Error
		s.again(r, t, o)
	case verdicts.Snooze:
		s.again(r, t, o)
	case verdicts.Release:
		s.release(r, t, o)
	default:
		r.Counts.Cancelled++
		r.ended(o.Task, s.now)
		if verdict == verdicts.StopRun {
			return s.stop(r, o.Error, false)
		}
	}
	return s.conclude(r) || r.held()
}

// settleHook applies the verdict of a hook. It has no effect if the run was stopped meanwhile.
func (s *state) settleHook(r *run, t *task, o *store.Outcome) (ended bool) {
	if !r.awaits(t.Route) {
		return false
	}
	switch o.Verdict {
	case verdicts.Begin:
		return s.begin(r)
	case verdicts.Skip, verdicts.Abort:
		r.cancel()
		if o.Verdict == verdicts.Skip {
			r.Reason = o.Error
			s.end(r, statuses.Skipped)
		} else {
			r.Error = o.Error
			s.end(r, statuses.Failed)
		}
		return true
	case verdicts.HookDone:
		r.HookError, r.Result = o.Error, o.Result
		if r.Failing() {
			r.setAside(t)
			return true
		}
		s.end(r, r.FinalStatus)
		return true
	case verdicts.Retry:
		r.RetryError = o.Error
		s.again(r, t, o)
	case verdicts.Snooze:
		s.again(r, t, o)
	default:
		s.release(r, t, o)
	}
	return false
}

// again lets a task wait behind the others, and for its delay.
func (s *state) again(r *run, t *task, o *store.Outcome) {
	it := store.Item{Route: t.Route, Task: o.Task, Delay: o.Delay}
	it.Task.Recovered, it.Task.Ready = false, s.now.Add(o.Delay)
	r.add(it, s.now)
}

// release puts a task in front of the others.
func (s *state) release(r *run, t *task, o *store.Outcome) {
	t.Task, t.Place, t.Lease = o.Task, waiting, store.Lease{}
	if t.Task.Recovered {
		t.Place = recovered
	}
	r.Tasks = slices.Insert(r.Tasks, 0, t)
}

// publish makes the children of a task that succeeded visible, first those that it staged.
func (s *state) publish(r *run, children []*task, o *store.Outcome) {
	for _, child := range children {
		if slices.ContainsFunc(o.Staged, func(st store.Staged) bool { return st.Route == child.Route }) {
			s.admit(r, child.Item)
		}
	}
	for _, it := range o.Children {
		s.admit(r, it)
	}
}

// count adds the counters of a task. A sum that would leave the range of int64 is left as it was.
func (r *run) count(counters map[string]int64) {
	for name, n := range counters {
		v := r.Numbers[name]
		if v == nil {
			v = &value{Type: store.ValueCounter}
		}
		if _, err := v.add(strconv.FormatInt(n, 10)); err == nil {
			r.Numbers[name] = v
		}
	}
}
