package store

import (
	"fmt"
)

// Grows reports whether the outcome brings what takes memory: without enough of it a settlement that has one such
// outcome is refused, and one that has none passes.
func (o *Outcome) Grows() bool {
	return o.Verdict == VerdictSuccess && len(o.Children)+len(o.Writes) > 0
}

// validateWrites reports what no Store accepts of the writes of an outcome, joined.
func (o *Outcome) validateWrites() error {
	var errs []error
	bad := func(reason, field string, args ...any) {
		errs = append(errs, &FieldError{Field: fmt.Sprintf(field, args...), Reason: reason})
	}
	type value struct {
		scope ValueScope
		name  string
	}
	var types map[value]ValueType
	data, size := 0, 0
	for i := range o.Writes {
		w := &o.Writes[i]
		if err := w.Validate(); err != nil {
			errs = append(errs, RenameFields(err, func(field string) string { return fmt.Sprintf("Writes[%d].%s", i, field) }))
		}
		run := o.Lease.Lane.Run
		if w.Scope != RunScope(run) && w.Scope != JobScope(run.Job) {
			bad("is neither the run of the task nor its job", "Writes[%d].Scope", i)
		}
		if w.Op != WriteAppend && w.Op != WriteRemove && (w.Op != WriteSet || w.Type != ValueMap) {
			bad("is none that a task can commit", "Writes[%d].Op", i)
		}
		v := value{w.Scope, w.Name}
		if typ, known := types[v]; known && typ != w.Type {
			bad("is of two types", "Writes[%d].Name", i)
		}
		if types == nil {
			types = make(map[value]ValueType)
		}
		types[v] = w.Type
		data += len(w.Data)
		size += w.Len()
	}
	if data > MaxData || size > MaxOutcomeWriteLen {
		bad(fmt.Sprintf("are more than %d, or take more than %d bytes", MaxData, MaxOutcomeWriteLen), "Writes")
	}
	return JoinFields(errs...)
}
