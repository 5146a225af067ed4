package intake

import (
	"iter"

	"github.com/rollcall-go/rollcall/store"
)

// Source is a partition of the store, as the intake sees it.
type Source struct {
	in     *Intake
	grants chan *Grant // capacity 1

	// Guarded by Intake.mu.
	open      bool // there is a session to fetch with
	held      bool // nothing may be fetched from it now
	hot       bool // there may be work that no fetch has asked for yet
	unprobed  bool // it was found empty, but the fetch did not ask for suspects
	busy      bool // a grant is in use
	turn      turn // its turn among the partitions, by deliveries
	unsettled int  // deliveries not yet settled
	suspect   bool // it delivered a suspect that is not settled yet
	unasked   int  // deliveries since a fetch last asked for suspects

	short map[*Limit]bool    // limits that had nothing left while tasks waited
	lacks map[*Limit]bool    // limits that were short in fetches that brought nothing, since one that did
	turns map[*Limit]int64   // when it last got a share of a limit
	asked []store.FetchQueue // of the grant in use
}

// Granted receives grants to fetch from the source, one at a time.
func (src *Source) Granted() <-chan *Grant { return src.grants }

// Opened reports that a session can fetch from the source.
func (src *Source) Opened() {
	in := src.in
	in.mu.Lock()
	defer in.mu.Unlock()
	src.open, src.hot, src.unprobed, src.busy, src.unsettled = true, true, false, false, 0
	in.limits.epoch++
	in.decideLocked()
}

// Lost reports that the source's session is gone, and with it the tasks that were not settled.
func (src *Source) Lost() {
	in := src.in
	in.mu.Lock()
	defer in.mu.Unlock()
	select {
	case g := <-src.grants:
		g.returnLocked()
		returnLocked(g.shares)
	default:
	}
	src.open, src.busy, src.unsettled = false, false, 0
	clear(src.short)
	clear(src.lacks)
	if src.suspect {
		src.suspect, in.suspect = false, false
	}
	in.decideLocked()
}

// Awaken reports that the source may have work.
func (src *Source) Awaken() {
	in := src.in
	in.mu.Lock()
	defer in.mu.Unlock()
	src.hot = true
	in.decideLocked()
}

// Settled reports that n deliveries of the source are settled. Only now may the worker fetch the
// next suspect: if it had two and the process died, both would be counted as crashes.
func (src *Source) Settled(tasks iter.Seq[*Task], n int, suspect bool) {
	in := src.in
	in.mu.Lock()
	defer in.mu.Unlock()
	if in.limits.counting {
		for t := range tasks {
			t.dischargeLocked()
		}
	}
	if suspect {
		src.suspect, in.suspect = false, false
	}
	src.unsettled -= n
	// Settled tasks may have children. A signal will report them, but with Once the intake must know
	// now.
	src.hot = src.hot || in.cfg.Once
	in.decideLocked()
}

// Hold makes no more grants of the source until it is called with false.
func (src *Source) Hold(held bool) {
	in := src.in
	in.mu.Lock()
	defer in.mu.Unlock()
	src.held = held
	if held {
		clear(src.short) // it wants nothing of a limit now; the next fetch finds out anew
	} else {
		src.hot = true
	}
	in.decideLocked()
}

// Adopted reports n deliveries that were found. They will be settled, but never run.
func (src *Source) Adopted(n int) {
	src.in.mu.Lock()
	defer src.in.mu.Unlock()
	src.unsettled += n
}
