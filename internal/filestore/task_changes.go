package filestore

import (
	"context"

	"github.com/rollcall-go/rollcall/store"
	"github.com/rollcall-go/rollcall/store/rules"
	"github.com/rollcall-go/rollcall/store/signals"
	"github.com/rollcall-go/rollcall/store/statuses"
	"github.com/rollcall-go/rollcall/store/verdicts"
)

// ChangeTask cancels or reschedules the first task with the ID in the order of a listing. It looks
// at all tasks at once, so it gives no cursors.
func (b *backend) ChangeTask(ctx context.Context, p store.ChangeTaskParams) (store.ChangeTaskReply, error) {
	return change(ctx, b, p, func(s *state, p store.ChangeTaskParams) (store.ChangeTaskReply, error) {
		reply, changed, err := s.changeTask(p)
		if changed {
			s.audits(ctx, p.Action(), p.Run, p.ID, "")
		}
		return reply, err
	})
}

// changeTask also reports whether there was something to change.
func (s *state) changeTask(p store.ChangeTaskParams) (reply store.ChangeTaskReply, changed bool, err error) {
	if p.Cursor != "" {
		return reply, false, &store.FieldError{Field: "Cursor", Reason: "is none that a page gave"}
	}
	r, err := s.run(p.Run)
	if err != nil {
		return reply, false, err
	}
	t := s.firstOf(r, &p)
	switch {
	case t == nil && p.Cancel:
		reply.Change = rules.KeptCancellation(r.Cancellations, p.ID, s.now)
		return reply, changed, nil
	case t == nil:
		return reply, changed, nil
	case p.Cancel:
		changed = !t.Asked
		reply.Change = s.cancelTask(r, t)
		r.Cancellations = rules.KeepCancellation(r.Cancellations, rules.Cancellation{ID: p.ID, Change: reply.Change, At: s.now})
	case t.Place != delayed:
		reply.Change = verdicts.ChangeNotDelayed
	default:
		reply.Change = verdicts.ChangeRescheduled
		due := p.Due
		if due.IsZero() {
			due = s.now
		}
		changed = !t.Due.Equal(due) && (!p.Due.IsZero() || t.Due.After(due))
		t.Due = due
		s.hints = append(s.hints, store.Signal{Type: signals.Due})
	}
	return reply, changed, nil
}

// firstOf is the first task that is sought and waits or runs; nil if there is none.
func (s *state) firstOf(r *run, p *store.ChangeTaskParams) *task {
	all := s.listing(r, &store.TasksParams{Run: r.ID, ID: p.ID, Claimed: p.Claimed})
	if len(all) == 0 || all[0].Status == statuses.TaskFailed {
		return nil
	}
	return s.listed(r)[all[0].Cursor]
}

// cancelTask removes a task that waits. For one that is held it is noted.
func (s *state) cancelTask(r *run, t *task) verdicts.Change {
	s.hints = append(s.hints, store.Signal{Type: signals.Run, Run: r.ID.Number})
	if t.Place == held {
		t.Asked = true
		return verdicts.ChangeRequested
	}
	r.drop(func(other *task) bool { return other == t })
	r.Counts.Cancelled++
	r.ended(t.Task, s.now)
	s.conclude(r)
	return verdicts.ChangeCancelled
}
