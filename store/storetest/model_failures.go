package storetest

import (
	"slices"

	"pgregory.net/rapid"

	"github.com/rollcall-go/rollcall/store"
	"github.com/rollcall-go/rollcall/store/actions"
)

// RedoFailures retries or discards some of the failures of a run, and perhaps repeats the call.
func (m *machine) RedoFailures(t *rapid.T) {
	r := m.run(t, func(r *modelRun) bool { return r.buried > 0 })
	p := store.RedoParams{
		Action: rapid.SampledFrom([]actions.Redo{actions.RedoRetry, actions.RedoDiscard}).
			Draw(t, "action"),
		Limit: rapid.IntRange(1, 4).Draw(t, "limit"),
		After: rapid.Int64Range(0, 2).Draw(t, "after"), Before: rapid.Int64Range(0, r.buried+1).Draw(t, "before"),
	}
	if rapid.IntRange(0, 3).Draw(t, "one kind") == 0 {
		p.Kinds = []string{scan.Kind}
	}
	p.Audit = m.says(t, r, p.Action.Audited())
	reply, err := m.redoer.tryRedo(r.id, p)
	if want := r.refusal(); want != nil {
		m.s.ErrorIs(err, want)
		return
	}
	m.s.NoError(err)
	m.s.Equal(r.redo(p), reply)
	if reply.Moved > 0 {
		m.m.audit.said(p.Audit)
	}
	if rapid.Bool().Draw(t, "repeat") {
		again, err := m.s.store.RedoFailures(m.s.ctx, m.redoer.redone)
		m.s.NoError(err)
		m.s.Equal(reply, again)
	}
}

// LetGo accepts what holds a run, or repeats its post-job hook, and perhaps repeats the call.
func (m *machine) LetGo(t *rapid.T) {
	r := m.run(t, func(r *modelRun) bool { return r.onFailure != store.OnFailureEnd })
	p := store.RedoParams{Action: rapid.SampledFrom([]actions.Redo{actions.RedoAccept, actions.RedoPostJob}).Draw(t, "action")}
	p.Audit = m.says(t, r, p.Action.Audited())
	moved, want := r.letGo(p.Action)
	reply, err := m.redoer.tryRedo(r.id, p)
	if want != nil {
		m.s.ErrorIs(err, want)
		return
	}
	m.s.NoError(err)
	m.s.Equal(store.RedoReply{Moved: moved, Gone: r.counts().Failed - int64(len(r.failures))}, reply)
	if moved > 0 {
		m.m.audit.said(p.Audit)
	}
	if rapid.Bool().Draw(t, "repeat") {
		again, err := m.s.store.RedoFailures(m.s.ctx, m.redoer.redone)
		m.s.NoError(err)
		m.s.Equal(reply, again)
	}
}

// checkFailures compares the failures of a run, read in pages from either end.
func (m *machine) checkFailures(r *modelRun) {
	for _, newest := range []bool{false, true} {
		want, got := slices.Clone(r.failures), []store.Failure(nil)
		if newest {
			slices.Reverse(want)
		}
		for p := (store.FailuresParams{Run: r.id, Newest: newest, Limit: 3}); ; {
			page, err := m.s.store.Failures(m.s.ctx, p)
			m.s.NoError(err)
			if len(page) == 0 {
				break
			}
			got = append(got, page...)
			if last := got[len(got)-1].Place; newest {
				p.Before = last
			} else {
				p.After = last
			}
		}
		m.s.Len(got, len(want), "failures of %v", r.id)
		for i, f := range want {
			m.s.Equal(f.place, got[i].Place)
			m.s.Equal([]string{f.task.item.Task.ID, f.err}, []string{got[i].Task.ID, got[i].Error})
		}
	}
}

// checkFailing compares the runs that are listed by their failures with those that keep some.
func (m *machine) checkFailing() {
	var want, got []store.RunID
	for _, r := range m.m.ordered() {
		if len(r.failures) > 0 {
			want = append(want, r.id)
		}
	}
	all, err := m.s.store.FailingRuns(m.s.ctx, store.FailingRunsParams{Limit: 1000})
	m.s.NoError(err)
	m.s.True(slices.IsSortedFunc(all, store.FailingRun.Compare), "%v are in order", all)
	for _, f := range all {
		got = append(got, f.Run)
	}
	m.s.ElementsMatch(want, got, "runs that keep failures")
}
