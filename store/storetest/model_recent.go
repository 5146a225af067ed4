package storetest

import (
	"slices"

	"github.com/rollcall-go/rollcall/store"
	"github.com/rollcall-go/rollcall/store/statuses"
)

// checkRuns compares the listing of runs with the runs: which there are, in which states, and in the
// order of their last changes. Those that one step changed may be in any order.
func (m *machine) checkRuns() {
	s := m.s
	m.steps++
	all := s.listRuns(store.RunsParams{Limit: 3})
	var listed []store.RunID
	last := m.steps
	for _, e := range all {
		listed = append(listed, e.Run.ID)
		r := m.m.runs[e.Run.ID]
		s.NotNil(r, "%v is listed, and gone", e.Run.ID)
		now := modelChange{status: r.status, paused: r.paused && !r.status.Final() && r.status != statuses.Stopping}
		if now.status != r.change.status || now.paused != r.change.paused {
			s.False(e.Run.Changed.Before(r.change.at), "%v changed", e.Run.ID)
			r.change.step = m.steps
		} else {
			s.True(e.Run.Changed.Equal(r.change.at), "%v did not change: %v, not %v", e.Run.ID, r.change.at, e.Run.Changed)
		}
		r.change.status, r.change.paused, r.change.at = now.status, now.paused, e.Run.Changed
		s.Equal(r.status, e.Run.Status)
		s.Equal(r.counts(), e.Run.Counts)
		s.LessOrEqual(r.change.step, last, "%v changed after one that is listed before it", e.Run.ID)
		if last = r.change.step; len(listed) < len(all) && all[len(listed)].Run.Changed.Equal(e.Run.Changed) {
			last = m.steps // in the same ms: by number
		}
		s.False(e.Run.Moved.Before(e.Run.Changed))
	}
	var want []store.RunID
	for _, r := range m.m.ordered() {
		want = append(want, r.id)
	}
	s.ElementsMatch(want, listed, "the runs that are listed")
	m.checkStates(all)
}

// checkStates reads the runs in one state, another one after each step, and those that are active
// from the other end.
func (m *machine) checkStates(all []store.RunEntry) {
	states := slices.Concat(statuses.Active, statuses.Final)
	pick := func(statuses []statuses.Status) (of []store.RunEntry) {
		for _, e := range all {
			if slices.Contains(statuses, e.Run.Status) {
				of = append(of, e)
			}
		}
		return of
	}
	one := states[m.steps%len(states):][:1]
	m.s.Equal(pick(one), m.s.listRuns(store.RunsParams{Statuses: one}), "runs that are %s", one)
	active := m.s.listRuns(store.RunsParams{Statuses: statuses.Active, Oldest: true})
	slices.Reverse(active)
	m.s.Equal(pick(statuses.Active), active)
	var want, held []store.RunID
	for _, r := range m.m.ordered() {
		if r.held() {
			want = append(want, r.id)
		}
	}
	for _, e := range m.s.listRuns(store.RunsParams{Held: true}) {
		held = append(held, e.Run.ID)
	}
	m.s.ElementsMatch(want, held, "runs that are held")
}

// checkJobStates compares the jobs that are listed by the states of their newest runs.
func (m *machine) checkJobStates() {
	states := slices.Concat(statuses.Active, statuses.Final)
	for _, statuses := range [][]statuses.Status{states[m.steps%len(states):][:1], statuses.Active, statuses.Final} {
		var want []string
		for name, j := range m.m.jobs {
			if r := m.m.runs[store.RunID{Job: name, Number: j.last}]; r != nil && slices.Contains(statuses, r.status) {
				want = append(want, name)
			}
		}
		m.s.ElementsMatch(want, m.s.listJobs(store.ListParams{Statuses: statuses}), "jobs that are %v", statuses)
	}
}
