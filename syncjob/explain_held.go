package syncjob

import (
	"fmt"

	"github.com/rollcall-go/rollcall/store"
	"github.com/rollcall-go/rollcall/store/statuses"
	"github.com/rollcall-go/rollcall/syncjob/states"
)

// The texts for what keeps tasks of a run from starting. Only heldBack names what holds a task
// back.
const (
	heldByRun      = "it is paused"
	heldByReadOnly = "the namespace is in read-only mode: only sets that are marked for it start tasks"
	heldByPreJob   = "its pre-job hook has not completed"
)

// holdBack adds to each waiting route what holds it back. exempt reports whether read-only mode
// does not hold back a set.
func (x *Explanation) holdBack(set store.PauseSet, exempt func(set string) bool) {
	if x.Run.Status.Final() {
		return
	}
	x.ReadOnly = set.ReadOnly()
	said := make(map[Scope]bool)
	for i := range x.Waiting {
		w := &x.Waiting[i]
		var pauses []states.Pause
		for _, p := range set.Covering(w.route(), nil) {
			if !p.Scope.IsReadOnly() {
				pauses = append(pauses, pauseState(p))
			}
		}
		w.HeldBack = x.heldBack(w, pauses, x.ReadOnly && !exempt(w.Set))
		for _, p := range pauses {
			if !said[p.Scope] {
				said[p.Scope] = true
				x.Pauses = append(x.Pauses, p)
			}
		}
	}
}

func (x *Explanation) heldBack(w *WaitingTasks, pauses []states.Pause, byReadOnly bool) (reasons []string) {
	add := func(holds bool, reason string) {
		if holds {
			reasons = append(reasons, reason)
		}
	}
	add(x.Run.Paused, heldByRun)
	add(x.Run.Status == statuses.Starting && w.route().Counted(), heldByPreJob)
	add(byReadOnly, heldByReadOnly)
	for _, p := range pauses {
		add(true, p.String())
	}
	add(
		w.Unserved && w.Quiet > 0,
		fmt.Sprintf("each live worker that serves %s of set %s is quiet or draining", w.where(), w.Set),
	)
	add(w.Unserved && w.Quiet == 0, fmt.Sprintf("no live worker serves %s of set %s", w.where(), w.Set))
	for _, l := range x.Limits {
		if l.Set == w.Set && (l.Kind == "" || l.Kind == w.Kind) && w.route().Counted() {
			limits := boundsOf(l)
			reasons, w.limits = append(reasons, limits...), w.limits+len(limits)
		}
	}
	return reasons
}

func (w *WaitingTasks) route() store.Route {
	return store.Route{Queue: w.Queue, Set: w.Set, Kind: w.Kind}
}

func (w *WaitingTasks) where() string { return fmt.Sprintf("%s on queue %s", w.Kind, w.Queue) }
