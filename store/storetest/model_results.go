package storetest

import (
	"slices"
	"time"

	"github.com/rollcall-go/rollcall/store"
)

// modelResult is a result that a task set with its success.
type modelResult struct {
	id, set, kind, data string
	ends                time.Duration // 0 for never
}

func (r modelResult) group() string { return r.set + "/" + r.kind }

// modelResults are those of a run, in the order in which they were set.
type modelResults []modelResult

// keep adds the result of an outcome. Those beyond the number go, the oldest first.
func (rs *modelResults) keep(o store.Outcome, now time.Duration) {
	if o.Result == nil {
		return
	}
	route := o.Lease.Lane.Route
	added := modelResult{id: o.Task.ID, set: route.Set, kind: route.Kind, data: string(o.Result)}
	if o.Keep.Age > 0 {
		added.ends = now + o.Keep.Age
	}
	*rs = slices.DeleteFunc(*rs, func(other modelResult) bool { return other.id == added.id })
	*rs = append(*rs, added)
	more := 0
	for _, other := range *rs {
		if other.group() == added.group() {
			more++
		}
	}
	*rs = slices.DeleteFunc(*rs, func(other modelResult) bool {
		over := o.Keep.Number > 0 && other.group() == added.group() && more > o.Keep.Number
		if over {
			more--
		}
		return over
	})
}
