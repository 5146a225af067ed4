package memstore

import (
	"context"
	"slices"
	"time"

	"github.com/rollcall-go/rollcall/store"
	"github.com/rollcall-go/rollcall/store/actions"
	"github.com/rollcall-go/rollcall/store/rules"
	"github.com/rollcall-go/rollcall/store/statuses"
)

// Failures reads the kept dead letters of a run by their places.
func (s *backend) Failures(ctx context.Context, p store.FailuresParams) ([]store.Failure, error) {
	part, err := s.of(ctx, p.Run.Job)
	if err != nil {
		return nil, err
	}
	defer part.unlock()
	r, err := part.run(p.Run)
	if err != nil {
		return nil, err
	}
	failures := r.letters(p)
	for i := range failures {
		failures[i].Task = copyTask(failures[i].Task)
	}
	return failures, nil
}

// letters are the dead letters of a run that are asked for.
func (r *run) letters(p store.FailuresParams) (failures []store.Failure) {
	page := newPage()
	for i := range r.failures {
		f := r.failures[i]
		if p.Newest {
			f = r.failures[len(r.failures)-1-i]
		}
		if !p.Has(f.Place) {
			continue
		}
		if len(failures) >= p.Limit || !page.fits(letterBytes(&f)) {
			break
		}
		failures = append(failures, f)
	}
	return failures
}

// letterBytes returns the size of the data of a dead letter that users chose.
func letterBytes(f *store.Failure) int { return taskBytes(&f.Task) + len(f.Error) + len(f.Stack) }

// FailingRuns lists runs that keep dead letters, those in which a task failed last first.
func (s *backend) FailingRuns(ctx context.Context, p store.FailingRunsParams) ([]store.FailingRun, error) {
	part, err := s.at(ctx, p.Partition)
	if err != nil {
		return nil, err
	}
	defer part.unlock()
	var runs []store.FailingRun
	for _, r := range part.failing {
		if f := (store.FailingRun{Run: r.rec.ID, Last: r.lastFailure}); f.Behind(p.After) {
			runs = append(runs, f)
		}
	}
	slices.SortFunc(runs, store.FailingRun.Compare)
	return runs[:min(len(runs), p.Limit)], nil
}

// RedoFailures retries or discards dead letters of an active run.
func (s *backend) RedoFailures(ctx context.Context, p store.RedoParams) (store.RedoReply, error) {
	part, err := s.at(ctx, p.Partition)
	if err != nil {
		return store.RedoReply{}, err
	}
	defer part.unlock()
	now := part.now()
	pr := part.producer(p.Stream, now)
	switch {
	case pr == nil:
		return store.RedoReply{}, store.ErrResultUnknown
	case p.Number == pr.last:
		return pr.redone, nil
	case p.Number < pr.last:
		return store.RedoReply{}, store.ErrStale
	}
	r, err := part.run(p.Run)
	var reply store.RedoReply
	if err == nil && p.Action.Moves() {
		if r, err = part.accepting(p.Run); err == nil {
			reply = part.redo(r, &p, now)
		}
	} else if err == nil {
		reply.Moved, err = part.release(r, p.Action, now)
		reply.Gone = r.rec.Counts.Failed - int64(len(r.failures))
	}
	if err != nil {
		return store.RedoReply{}, err
	}
	if reply.Moved > 0 && p.Audit != nil {
		part.audit = rules.KeepAudit(part.audit, *p.Audit, now)
	}
	*pr = producer{last: p.Number, redone: reply, used: now}
	return reply, nil
}

// release accepts what holds a run, or repeats the hook that gave up. It returns 0 if all was
// accepted before.
func (p *partition) release(r *run, action actions.Redo, now time.Time) (int64, error) {
	_, err := p.accepting(r.rec.ID)
	accept, finishing := action == actions.RedoAccept, r.rec.Status == statuses.Finishing
	switch {
	case finishing && r.rec.Failing() && accept:
		p.finalise(r, r.rec.FinalStatus, now)
	case finishing && r.rec.Failing():
		r.rec.HookError, r.rec.Result = "", nil
		p.placeHook(r, copyItem(*r.post), now)
	case accept && r.rec.OnFailure == store.OnFailureAccepted:
		return 0, nil
	case accept && r.rec.OnFailure == store.OnFailureHold && err == nil:
		r.rec.OnFailure = store.OnFailureAccepted
		p.conclude(r, now)
	case err == nil || finishing:
		return 0, store.ErrNotHeld
	default:
		return 0, err
	}
	p.moved(r)
	return 1, nil
}

func (p *partition) redo(r *run, params *store.RedoParams, now time.Time) (reply store.RedoReply) {
	moved, matches := map[int64]bool{}, params.Matcher()
	for _, f := range r.letters(params.Page()) {
		reply.Next = f.Place
		if !matches(&f) {
			continue
		}
		task, readable := f.Redone()
		switch {
		case params.Action == actions.RedoDiscard:
			r.rec.Counts.Cancelled++
		case !readable:
			reply.Unreadable++
			continue
		case !r.claims.retake(task):
			reply.InUse++
			continue
		default:
			r.rec.Retried++
			p.place(p.lane(r, f.Lane.Route), task, time.Time{}, now)
		}
		moved[f.Place] = true
		r.rec.Counts.Failed--
	}
	reply.Moved = int64(len(moved))
	r.failures = slices.DeleteFunc(r.failures, func(f store.Failure) bool { return moved[f.Place] })
	reply.Gone = r.rec.Counts.Failed - int64(len(r.failures))
	if r.rec.Counts.Failed == 0 {
		r.rec.Error = ""
	}
	if len(r.failures) == 0 {
		delete(p.failing, r.rec.ID.Number)
	}
	p.moved(r)
	p.conclude(r, now)
	return reply
}
