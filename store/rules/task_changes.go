package rules

import (
	"slices"
	"time"

	"github.com/rollcall-go/rollcall/store/bounds"
	"github.com/rollcall-go/rollcall/store/verdicts"
)

// Cancellation is what a run remembers of a cancelled task.
type Cancellation struct {
	ID     string
	Change verdicts.Change // verdicts.ChangeCancelled or verdicts.ChangeRequested
	At     time.Time
}

// KeepCancellation adds a cancellation to those of a run, and drops those that are too old.
func KeepCancellation(kept []Cancellation, c Cancellation) []Cancellation {
	kept = slices.DeleteFunc(kept, func(k Cancellation) bool { return k.ID == c.ID || k.over(c.At) })
	return append(kept, c)
}

// KeptCancellation is what a run remembers of the cancellation of an ID; "" if nothing.
func KeptCancellation(kept []Cancellation, id string, now time.Time) verdicts.Change {
	for _, c := range kept {
		if c.ID == id && !c.over(now) {
			return c.Change
		}
	}
	return ""
}

func (c *Cancellation) over(now time.Time) bool { return now.Sub(c.At) >= bounds.StreamKept }
