package storetest

import (
	"slices"

	"github.com/rollcall-go/rollcall/store"
)

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
