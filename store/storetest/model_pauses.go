package storetest

import (
	"slices"
	"time"

	"github.com/rollcall-go/rollcall/store"
	"github.com/rollcall-go/rollcall/store/actions"
)

// modelPauses is what should be paused in the partition.
type modelPauses struct {
	scopes  map[store.PauseScope]*modelPause
	version int64 // as the store said after the last change
	audit   *modelAudit
}

// modelPause is what was said of a scope that is paused.
type modelPause struct {
	by, reason string
	since      time.Time // as the store said first
}

// modelScopes are what is paused in sequences: read-only mode, and what covers some of the routes.
var modelScopes = []store.PauseScope{
	{}, {Queue: scan.Queue}, {Set: scan.Set}, {Kind: file.Kind}, {Set: file.Set, Kind: file.Kind}, {Queue: "nobody"},
}

func (m *modelPauses) cover(r store.Route) bool {
	for scope := range m.scopes {
		if scope.Covers(r) {
			return true
		}
	}
	return false
}

func (m *modelPauses) readOnly() bool { return m.scopes[store.PauseScope{}] != nil }

func (m *modelPauses) pause(s *scene, p store.Pause) {
	s.NoError(s.store.Pause(s.ctx, 0, p))
	now := &modelPause{by: p.By, reason: p.Reason}
	before := m.scopes[p.Scope]
	if before != nil {
		now.since = before.since
	}
	if before == nil || *before != *now {
		m.audit.note(actions.Pause, store.RunID{}, p.Scope.String(), p.Reason)
	}
	m.scopes[p.Scope] = now
	m.changed(s)
}

func (m *modelPauses) resume(s *scene, scope store.PauseScope) {
	s.NoError(s.store.Resume(s.ctx, 0, scope))
	if m.scopes[scope] == nil {
		m.version = m.check(s) // a change of nothing may have a version
		return
	}
	m.audit.note(actions.Resume, store.RunID{}, scope.String(), "")
	delete(m.scopes, scope)
	m.changed(s)
}

func (m *modelPauses) resumeAll(s *scene) {
	for _, scope := range modelScopes {
		if m.scopes[scope] != nil {
			m.resume(s, scope)
		}
	}
}

// changed learns the version after a change.
func (m *modelPauses) changed(s *scene) {
	before := m.version
	m.version = m.check(s)
	s.Equal(len(m.scopes) == 0, m.version == 0)
	s.False(m.version == before && before > 0, "another version after each change")
}

// check compares what is paused, and returns its version.
func (m *modelPauses) check(s *scene) int64 {
	set, err := s.store.Pauses(s.ctx, 0)
	s.NoError(err)
	s.Len(set.Pauses, len(m.scopes))
	for _, p := range set.Pauses {
		want := m.scopes[p.Scope]
		s.NotNil(want, "%s is not paused", p.Scope)
		s.Equal([]string{want.by, want.reason}, []string{p.By, p.Reason})
		s.False(p.Since.IsZero())
		if want.since.IsZero() {
			want.since = p.Since
		}
		s.True(want.since.Equal(p.Since), "%s is paused since %v", p.Scope, want.since)
	}
	s.True(slices.IsSortedFunc(set.Pauses, func(a, b store.Pause) int { return a.Scope.Compare(b.Scope) }))
	return set.Version
}
