package rules

import (
	"slices"

	"github.com/rollcall-go/rollcall/store"
	"github.com/rollcall-go/rollcall/store/bounds"
	"github.com/rollcall-go/rollcall/store/verdicts"
)

// KeepCancellation adds a cancellation to those of a run, and drops the oldest if they are too
// many.
func KeepCancellation(kept []store.Cancellation, c store.Cancellation) []store.Cancellation {
	kept = slices.DeleteFunc(kept, func(k store.Cancellation) bool { return k.ID == c.ID })
	return append(kept[max(0, len(kept)-bounds.CancelsKept+1):], c)
}

// KeptCancellation is what a run remembers of the cancellation of an ID; "" if nothing.
func KeptCancellation(kept []store.Cancellation, id string) verdicts.Change {
	for _, c := range kept {
		if c.ID == id {
			return c.Change
		}
	}
	return ""
}
