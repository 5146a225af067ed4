package store

import (
	"fmt"

	"github.com/rollcall-go/rollcall/store/bounds"
	"github.com/rollcall-go/rollcall/store/verdicts"
)

// Grows reports whether the outcome needs memory. If the store has none left, it refuses a
// settlement with such an outcome, and accepts one without.
func (o *Outcome) Grows() bool {
	return o.Verdict == verdicts.Success && len(o.Children)+len(o.Writes)+len(o.Result) > 0
}

// validateWrites reports all problems of the writes of an outcome, joined.
func (o *Outcome) validateWrites() error {
	type value struct {
		scope ValueScope
		name  string
	}
	var f faults
	types := make(map[value]ValueType)
	data, size := 0, 0
	for i := range o.Writes {
		w := &o.Writes[i]
		f.at(i, w.Validate(), "Writes[%d].")
		f.at(i, o.commits(w), "Writes[%d].")
		v := value{w.Scope, w.Name}
		if typ, known := types[v]; known && typ != w.Type {
			f.add(true, fmt.Sprintf("Writes[%d].Name", i), "is used with two types")
		}
		types[v] = w.Type
		data += len(w.Data)
		size += w.Len()
	}
	f.add(
		data > bounds.MaxData || size > bounds.MaxOutcomeWriteLen, "Writes",
		"are more than 1000, or take more than 1 MiB",
	)
	return f.err()
}

// commits checks that a write may be part of an outcome.
func (o *Outcome) commits(w *Write) error {
	var f faults
	run := o.Lease.Lane.Run
	f.add(
		w.Scope != RunScope(run) && w.Scope != JobScope(run.Job), "Scope", "is neither the run of the task nor its job",
	)
	f.add(w.Op != WriteAppend && w.Op != WriteRemove && (w.Op != WriteSet || w.Type != ValueMap),
		"Op", "is not one that a task can commit")
	return f.err()
}

// TaskResult returns the result that an outcome brings; false if there is none. At and Place are for
// the store to set. It is for implementers.
func (o *Outcome) TaskResult() (TaskResult, bool) {
	route := &o.Lease.Lane.Route
	r := TaskResult{ID: o.Task.ID, Set: route.Set, Kind: route.Kind, Data: o.Result}
	return r, o.Verdict == verdicts.Success && len(o.Result) > 0
}
