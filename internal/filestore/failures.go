package filestore

import (
	"context"
	"slices"

	"github.com/rollcall-go/rollcall/store"
	"github.com/rollcall-go/rollcall/store/actions"
	"github.com/rollcall-go/rollcall/store/bounds"
	"github.com/rollcall-go/rollcall/store/rules"
	"github.com/rollcall-go/rollcall/store/statuses"
)

// bury keeps a failure: of all, the first, and the newest.
func (r *run) bury(f store.Failure) {
	r.Error = f.Error
	r.Buried++
	f.Place = r.Buried
	r.Failures, r.LastFailure = append(r.Failures, f), f.At
	if len(r.Failures) > r.FailureCap {
		r.Failures = slices.Delete(r.Failures, r.FailureCap/2, r.FailureCap/2+1)
	}
}

// Failures reads failures of a run.
func (b *backend) Failures(ctx context.Context, p store.FailuresParams) ([]store.Failure, error) {
	return read(ctx, b, p, func(s *state, p store.FailuresParams) (page []store.Failure, err error) {
		r, err := s.run(p.Run)
		if err != nil {
			return nil, err
		}
		return r.failures(p), nil
	})
}

// failures are those that are asked for.
func (r *run) failures(p store.FailuresParams) (page []store.Failure) {
	all := slices.DeleteFunc(slices.Clone(r.Failures), func(f store.Failure) bool { return !p.Has(f.Place) })
	if p.Newest {
		slices.Reverse(all)
	}
	left := bounds.PageBytes
	for _, f := range all {
		size := taskSize(&f.Task) + len(f.Error) + len(f.Stack)
		if len(page) >= p.Limit || len(page) > 0 && size > left {
			break
		}
		left -= size
		page = append(page, f)
	}
	return page
}

// FailingRuns lists runs that keep failures.
func (b *backend) FailingRuns(ctx context.Context, p store.FailingRunsParams) ([]store.FailingRun, error) {
	return read(ctx, b, p, func(s *state, p store.FailingRunsParams) (all []store.FailingRun, err error) {
		for _, r := range s.Runs {
			if f := (store.FailingRun{Run: r.ID, Last: r.LastFailure}); len(r.Failures) > 0 && f.Behind(p.After) {
				all = append(all, f)
			}
		}
		slices.SortFunc(all, store.FailingRun.Compare)
		return all[:min(len(all), p.Limit)], nil
	})
}

// RedoFailures retries or discards failures of an active run.
func (b *backend) RedoFailures(ctx context.Context, p store.RedoParams) (store.RedoReply, error) {
	return change(ctx, b, p, func(s *state, p store.RedoParams) (reply store.RedoReply, err error) {
		stream, repeat, err := s.producer(p.Stream, p.Number)
		switch {
		case err != nil:
			return reply, err
		case repeat:
			return stream.Reply.Redone, nil
		}
		r, err := s.run(p.Run)
		if err == nil && p.Action.Moves() {
			if r, err = s.accepting(p.Run); err == nil {
				reply = r.redo(&p)
				s.conclude(r)
			}
		} else if err == nil {
			reply.Moved, err = s.letGo(r, p.Action)
			reply.Gone = r.Counts.Failed - int64(len(r.Failures))
		}
		if err != nil {
			return reply, err
		}
		if reply.Moved > 0 && p.Audit != nil {
			s.Audit = rules.KeepAudit(s.Audit, *p.Audit, s.now)
		}
		stream.Last, stream.Reply = p.Number, lastReply{Redone: reply}
		return reply, nil
	})
}

func (r *run) redo(p *store.RedoParams) (reply store.RedoReply) {
	matches := p.Matcher()
	for _, f := range r.failures(p.Page()) {
		reply.Next = f.Place
		t, readable := f.Redone()
		switch {
		case !matches(&f):
			continue
		case p.Action == actions.RedoDiscard:
			r.Counts.Cancelled++
		case !readable:
			reply.Unreadable++
			continue
		case t.Claimed && r.hasClaimed(t.ID):
			reply.InUse++
			continue
		default:
			r.Retried++
			delete(r.Kept, t.ID)
			r.Tasks = append(r.Tasks, &task{Item: store.Item{Route: f.Lane.Route, Task: t}, Place: waiting})
		}
		reply.Moved++
		r.Counts.Failed--
		r.Failures = slices.DeleteFunc(r.Failures, func(other store.Failure) bool { return other.Place == f.Place })
	}
	reply.Gone = r.Counts.Failed - int64(len(r.Failures))
	if r.Counts.Failed == 0 {
		r.Error = ""
	}
	return reply
}

// setAside keeps a post-job hook that gave up, as it was at first.
func (r *run) setAside(hook *task) {
	t := store.Task{
		ID:       hook.Task.ID,
		Payload:  hook.Task.Payload,
		Headers:  hook.Task.Headers,
		Enqueued: hook.Task.Enqueued,
	}
	r.Tasks = append(r.Tasks, &task{Item: store.Item{Route: hook.Route, Task: t}, Place: aside})
}

// letGo accepts what holds a run, or repeats the hook that gave up. It reports how much changed.
func (s *state) letGo(r *run, action actions.Redo) (changed int64, err error) {
	_, err = s.accepting(r.ID)
	accept, gaveUp := action == actions.RedoAccept, r.Status == statuses.Finishing && r.Failing()
	switch {
	case gaveUp && accept:
		s.end(r, r.FinalStatus)
	case gaveUp:
		r.HookError, r.Result = "", nil
		for _, t := range r.Tasks {
			t.Place = waiting // it is the only one
		}
	case accept && r.OnFailure == store.OnFailureAccepted:
		return 0, nil
	case accept && r.OnFailure == store.OnFailureHold && err == nil:
		r.OnFailure = store.OnFailureAccepted
		s.conclude(r)
	case err == nil || r.Status == statuses.Finishing:
		return 0, store.ErrNotHeld
	default:
		return 0, err
	}
	return 1, nil
}
