package store

import (
	"slices"
	"time"
)

// Scope is what a limit counts together: tasks of some kinds of a set, whatever their queue.
type Scope struct {
	Set   string
	Kinds []string
}

// Covers reports whether tasks of the route are counted. Hooks never are.
func (s Scope) Covers(r Route) bool {
	return r.Set == s.Set && r.Counted() && slices.Contains(s.Kinds, r.Kind)
}

// Budget is how many deliveries of a scope a fetch may lease at most, whatever waits: what its worker holds of a
// limit that spans all partitions and processes. What it does not cover stays where it is.
type Budget struct {
	Scope Scope
	Left  int
	// Until is when the budget ends by the clock of the partition: a fetch that comes later leases nothing
	// of the scope. Zero for never.
	Until time.Time
}

// Tallies reports whether runs count what the fetch leases of a route.
func (p *FetchParams) Tallies(r Route) bool {
	return slices.ContainsFunc(p.PerRun, func(l RunLimit) bool { return l.Scope.Covers(r) })
}

// RunLimit bounds how many tasks of a scope each run has leased at a time, to all sessions
// together. It counts what was leased by fetches that named a limit for the kind.
type RunLimit struct {
	Scope Scope
	Max   int
}
