package intake

import (
	"iter"

	"github.com/rollcall-go/rollcall/store"
)

// Source is a partition as the intake sees it.
type Source struct {
	in     *Intake
	grants chan *Grant // capacity 1

	// Guarded by Intake.mu.
	open      bool // there is a session to fetch with
	hot       bool // there may be work that nobody has asked for since
	unprobed  bool // it was found empty, but was not asked for suspects
	busy      bool // a grant is out
	turn      turn // of the partitions: what is delivered counts
	unsettled int  // deliveries not yet settled
	suspect   bool // it delivered a suspect that is not settled yet
	unasked   int  // deliveries since it was last asked for suspects

	short map[*Limit]bool    // limits of which nothing was left while more waited
	turns map[*Limit]int64   // when it was last given something of a limit
	asked []store.FetchQueue // of the grant that is out
}

// Granted yields leave to fetch from the source, for one fetch at a time.
func (src *Source) Granted() <-chan *Grant { return src.grants }

// Opened says that a session can fetch from the source.
func (src *Source) Opened() {
	in := src.in
	in.mu.Lock()
	defer in.mu.Unlock()
	src.open, src.hot, src.unprobed, src.busy, src.unsettled = true, true, false, false, 0
	in.limits.epoch++
	in.decideLocked()
}

// Lost says that the source's session is gone, and with it what it had not settled.
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
	if src.suspect {
		src.suspect, in.suspect = false, false
	}
	in.decideLocked()
}

// Awaken says that the source may have work.
func (src *Source) Awaken() {
	in := src.in
	in.mu.Lock()
	defer in.mu.Unlock()
	src.hot = true
	in.decideLocked()
}

// Settled says that n deliveries of the source are done with. Only then is a suspect off this
// worker's hands: if the process died before, it would be charged, and so would the next.
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
	// What was settled may have children. Their signal will say so, but once must know
	// now.
	src.hot = src.hot || in.cfg.Once
	in.decideLocked()
}

// Adopted says that n deliveries were found that will be settled but never run.
func (src *Source) Adopted(n int) {
	src.in.mu.Lock()
	defer src.in.mu.Unlock()
	src.unsettled += n
}
