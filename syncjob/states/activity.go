package states

import (
	"time"

	"github.com/rollcall-go/rollcall/store/histogram"
)

// ActivitySeries is what was done of one kind of tasks in one queue, interval by interval.
type ActivitySeries struct {
	// Queue, Set and Kind are empty for the kinds that have no series of their own, together.
	Queue  string          `json:"queue"`
	Set    string          `json:"set"`
	Kind   string          `json:"kind"`
	Points []ActivityPoint `json:"points"` // one for each interval, also where nothing was done
}

// ActivityPoint is how much was done in an interval, as [states.Figures] count it.
type ActivityPoint struct {
	At        time.Time `json:"at"` // when the interval begins
	Enqueued  int64     `json:"enqueued"`
	Ended     int64     `json:"ended"` // attempts that ended in any way
	Succeeded int64     `json:"succeeded"`
	Failed    int64     `json:"failed"`
	Retried   int64     `json:"retried"`
	// Wait tells how long the tasks of these attempts were ready before they started, and Run how long
	// the attempts took. Both may lack some of Ended: see [Manager.Activity].
	Wait histogram.Histogram `json:"wait,omitempty"`
	Run  histogram.Histogram `json:"run,omitempty"`
}

// Add adds what was done in another interval, or of another kind.
func (p *ActivityPoint) Add(o ActivityPoint) {
	p.Enqueued += o.Enqueued
	p.Ended += o.Ended
	p.Succeeded += o.Succeeded
	p.Failed += o.Failed
	p.Retried += o.Retried
	p.Wait, p.Run = p.Wait.Plus(o.Wait), p.Run.Plus(o.Run)
}

// Idle reports whether nothing was done.
func (p *ActivityPoint) Idle() bool {
	return p.Enqueued == 0 && p.Ended == 0 && len(p.Wait)+len(p.Run) == 0
}
