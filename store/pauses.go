package store

import (
	"cmp"
	"context"
	"slices"
	"strings"
	"time"

	"github.com/rollcall-go/rollcall/store/bounds"
)

// PauseScope says which tasks a pause holds back: those whose route has the queue, the set and the
// kind that it names. An empty field matches anything. Hooks belong to a queue and a set, and to no
// kind. The empty scope is read-only mode: it holds back everything except the sets that a fetch
// names in InReadOnly.
type PauseScope struct {
	Queue string `json:"queue,omitempty"`
	Set   string `json:"set,omitempty"`
	Kind  string `json:"kind,omitempty"`
}

// IsReadOnly reports whether the scope is that of read-only mode.
func (s PauseScope) IsReadOnly() bool { return s == PauseScope{} }

// Covers reports whether tasks of the route belong to the scope.
func (s PauseScope) Covers(r Route) bool {
	return (s.Queue == "" || s.Queue == r.Queue) && (s.Set == "" || s.Set == r.Set) &&
		(s.Kind == "" || s.Kind == r.Kind)
}

// Compare orders scopes by queue, set and kind.
func (s PauseScope) Compare(o PauseScope) int {
	return cmp.Or(cmp.Compare(s.Queue, o.Queue), cmp.Compare(s.Set, o.Set), cmp.Compare(s.Kind, o.Kind))
}

// String names the scope, for example "kind resize of set images on queue slow".
func (s PauseScope) String() string {
	var parts []string
	for _, p := range []struct{ name, word, link string }{
		{s.Kind, "kind", ""}, {s.Set, "set", "of "}, {s.Queue, "queue", "on "},
	} {
		switch {
		case p.name == "":
		case len(parts) == 0:
			parts = append(parts, p.word+" "+p.name)
		default:
			parts = append(parts, p.link+p.word+" "+p.name)
		}
	}
	if len(parts) == 0 {
		return "everything"
	}
	return strings.Join(parts, " ")
}

// Validate returns a [*FieldError] for each name that [ValidateName] refuses, joined.
func (s PauseScope) Validate() error {
	var f faults
	for _, p := range []struct{ field, name string }{{"Queue", s.Queue}, {"Set", s.Set}, {"Kind", s.Kind}} {
		if p.name != "" {
			f.name("Scope."+p.field, p.name)
		}
	}
	return f.err()
}

// Pause holds back the tasks of a scope.
type Pause struct {
	Scope  PauseScope
	By     string    // who paused it, up to [bounds.MaxNoteLen] bytes; empty if not known
	Reason string    // why, for the history
	Since  time.Time // when it was paused first, by the store's clock; the store sets it
}

// Validate returns a [*FieldError] for each bad field, joined.
func (p *Pause) Validate() error {
	var f faults
	f.check(p.Scope.Validate(), "")
	f.check(ValidateNote("By", p.By), "")
	f.check(ValidateNote("Reason", p.Reason), "")
	return f.err()
}

// PauseSet is all that is paused in a partition.
type PauseSet struct {
	// Version is different after each change, also if the server has lost some. 0 if nothing is
	// paused.
	Version int64
	Pauses  []Pause // sorted by queue, set and kind
}

// Covering lists the pauses that hold back tasks of a route from a fetch that names these sets in
// InReadOnly.
func (s *PauseSet) Covering(r Route, inReadOnly []string) (covering []Pause) {
	for _, p := range s.Pauses {
		if p.Scope.Covers(r) && !(p.Scope.IsReadOnly() && slices.Contains(inReadOnly, r.Set)) {
			covering = append(covering, p)
		}
	}
	return covering
}

// ReadOnly reports whether read-only mode is among the pauses.
func (s *PauseSet) ReadOnly() bool {
	_, is := s.find(PauseScope{})
	return is
}

// Put adds a pause, or changes the one of the same scope, which keeps its Since. It is for
// implementers; version is the new one. It reports whether something is different now, apart from
// the version. Error: [ErrTooManyPauses].
func (s *PauseSet) Put(p Pause, version int64) (changed bool, err error) {
	at, is := s.find(p.Scope)
	others := len(s.Pauses)
	if s.ReadOnly() {
		others--
	}
	switch {
	case is:
		p.Since = s.Pauses[at].Since
		changed = s.Pauses[at] != p
		s.Pauses[at] = p
	case !p.Scope.IsReadOnly() && others >= bounds.MaxPauses:
		return false, ErrTooManyPauses
	default:
		s.Pauses, changed = slices.Insert(s.Pauses, at, p), true
	}
	s.Version = version
	return changed, nil
}

// Remove removes the pause of a scope, if there is one. It is for implementers; version is the new
// one. It reports whether there was one.
func (s *PauseSet) Remove(scope PauseScope, version int64) bool {
	at, is := s.find(scope)
	if is {
		s.Pauses = slices.Delete(s.Pauses, at, at+1)
	}
	s.Version = version
	if len(s.Pauses) == 0 {
		*s = PauseSet{}
	}
	return is
}

// find is where the pause of a scope is, or would be.
func (s *PauseSet) find(scope PauseScope) (at int, is bool) {
	return slices.BinarySearchFunc(s.Pauses, scope, func(p Pause, scope PauseScope) int { return p.Scope.Compare(scope) })
}

// Pauses keeps, for each partition, which scopes are paused. Fetch reads that in the same step in
// which it leases: after Pause has returned nil, no task of the scope is newly leased in the
// partition. Leases that exist stay, and a repeat of an earlier Fetch returns them. What is paused
// costs a fetch of other tasks nothing. Fetch and Heartbeat return the version, so that workers
// learn of a change also if they miss its signal. A server that loses acknowledged writes can lose
// a pause; another Pause restores it.
type Pauses interface {
	// Pause pauses a scope in a partition and signals [signals.Pause]. If the scope is paused already,
	// it gets the new By and Reason and keeps its Since; so a repeat is harmless. p.Since is ignored.
	// Error: [ErrTooManyPauses].
	Pause(ctx context.Context, partition int, p Pause) error

	// Resume ends the pause of exactly this scope and signals [signals.Pause]. Tasks that another pause
	// covers still wait. If the scope is not paused, nothing changes.
	Resume(ctx context.Context, partition int, scope PauseScope) error

	// Pauses reads the pauses of a partition in one step.
	Pauses(ctx context.Context, partition int) (PauseSet, error)
}
