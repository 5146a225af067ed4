package storetest

import (
	"time"

	"pgregory.net/rapid"

	"github.com/rollcall-go/rollcall/store"
	"github.com/rollcall-go/rollcall/store/rules"
	"github.com/rollcall-go/rollcall/store/verdicts"
)

// ChangeTask cancels or reschedules a task of a run, wherever it is, or one that never was.
func (m *machine) ChangeTask(t *rapid.T) {
	r := m.run(t, func(*modelRun) bool { return true })
	p := store.ChangeTaskParams{Run: r.id, ID: "nobody", Cancel: rapid.Bool().Draw(t, "cancel")}
	if len(r.tasks) > 0 && rapid.IntRange(0, 9).Draw(t, "known") > 0 {
		known := rapid.SampledFrom(r.tasks).Draw(t, "task").item.Task
		p.ID, p.Claimed = known.ID, known.Claimed
	}
	later := !p.Cancel && rapid.Bool().Draw(t, "later")
	if later {
		p.Due = time.Date(2200, 1, 1, 0, 0, 0, 0, time.UTC)
	}
	if r.changes(p, later) {
		m.m.audit.note(p.Action(), r.id, p.ID, "")
	}
	change, err := m.s.tryChange(p)
	m.s.NoError(err)
	m.s.Equal(r.changeTask(p, later, time.Now()), change, "of %s", p.ID)
	m.promote()
}

// dueNever is when a task is due that was rescheduled to a time that never comes.
const dueNever = time.Duration(1 << 62)

// changes reports whether there is something to change, of which the audit then tells.
func (r *modelRun) changes(p store.ChangeTaskParams, later bool) bool {
	t := r.sought(p.ID)
	switch {
	case t == nil:
		return false
	case p.Cancel:
		return !t.asked || t.place != held
	}
	return t.place == awaiting && (!later || t.due != dueNever)
}

// changeTask changes a task, and returns what the store must answer.
func (r *modelRun) changeTask(p store.ChangeTaskParams, later bool, now time.Time) (done verdicts.Change) {
	t := r.sought(p.ID)
	switch {
	case t == nil && p.Cancel:
		return rules.KeptCancellation(r.cancelled, p.ID, now)
	case t == nil:
		return ""
	case p.Cancel && t.place == held:
		t.asked, done = true, verdicts.ChangeRequested
	case p.Cancel:
		t.end("cancelled")
		done = verdicts.ChangeCancelled
		r.settle()
	case t.place != awaiting:
		return verdicts.ChangeNotDelayed
	case later:
		t.due = dueNever
		return verdicts.ChangeRescheduled
	default: // the next promotion finds it
		t.place = waiting
		return verdicts.ChangeRescheduled
	}
	r.cancelled = rules.KeepCancellation(r.cancelled, rules.Cancellation{ID: p.ID, Change: done, At: now})
	return done
}

// sought is the task with an ID that waits or runs; nil if there is none.
func (r *modelRun) sought(id string) *modelTask {
	for _, t := range r.tasks {
		waits := (t.is(waiting) || t.is(awaiting)) && r.refusal() == nil
		if t.item.Task.ID == id && (waits || t.is(held)) {
			return t
		}
	}
	return nil
}
