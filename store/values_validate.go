package store

import (
	"bytes"
	"fmt"
	"math"
	"strconv"
	"time"
)

// Validate reports every write that no Store accepts, joined. Implementations call it first.
func (p *WriteParams) Validate() error {
	errs := []error{ValidateNumber(p.Number)}
	if len(p.Writes) > MaxBatch {
		errs = append(errs, &FieldError{Field: "Writes", Reason: "are more than MaxBatch"})
	}
	for i := range p.Writes {
		if err := p.Writes[i].Validate(); err != nil {
			errs = append(errs, RenameFields(err, func(field string) string { return fmt.Sprintf("Writes[%d].%s", i, field) }))
		}
	}
	return JoinFields(errs...)
}

// Grows reports whether a write may take memory. A batch in which none does passes when the store has none left.
func (w *Write) Grows() bool { return w.Op != WriteRemove && w.Op != WriteDelete }

// Len is how many bytes the names and values of the write take.
func (w *Write) Len() int {
	n := len(w.Expect)
	for i := range w.Data {
		n += len(w.Data[i].Field) + len(w.Data[i].Bytes)
	}
	return n
}

// Size is how many bytes the write takes in a call, roughly.
func (w *Write) Size() int {
	return 64 + len(w.Scope.Job) + 16*len(w.Data) + w.Len()
}

// Validate reports every field that no Store accepts, joined.
func (w *Write) Validate() error {
	errs := []error{w.Scope.validate(), ValidateName("Name", w.Name)}
	bad := func(field, reason string) {
		errs = append(errs, &FieldError{Field: field, Reason: reason})
	}
	if !w.Type.known() {
		bad("Type", "is unknown")
	} else if !w.Op.fits(w.Type) {
		bad("Op", "is none that the type of value has")
	}
	if w.Cap < 0 {
		bad("Cap", "is negative")
	}
	return JoinFields(append(errs, w.validateData()...)...)
}

// validateData checks the number and the size of what is written.
func (w *Write) validateData() (errs []error) {
	bad := func(reason, field string, args ...any) {
		errs = append(errs, &FieldError{Field: fmt.Sprintf(field, args...), Reason: reason})
	}
	single := w.Op == WriteAdd || w.Op == WriteSwap || w.Op == WriteSet && w.Type != ValueMap
	switch {
	case single && len(w.Data) != 1:
		bad("must be one", "Data")
	case len(w.Data) > MaxData:
		bad(fmt.Sprintf("are more than %d", MaxData), "Data")
	}
	for i := range w.Data {
		d := &w.Data[i]
		if len(d.Field) > MaxFieldLen {
			bad(fmt.Sprintf("has a name longer than %d bytes", MaxFieldLen), "Data[%d]", i)
		}
		if len(d.Bytes) > MaxValueLen {
			bad(fmt.Sprintf("is longer than %d bytes", MaxValueLen), "Data[%d]", i)
		}
		if !numeric(w.Type, d.Bytes) {
			bad("is not a number", "Data[%d]", i)
		}
	}
	if w.Len() > MaxWriteLen {
		bad(fmt.Sprintf("take more than %d bytes", MaxWriteLen), "Data")
	}
	return errs
}

// numeric reports whether b is what a value of the type may hold.
func numeric(k ValueType, b []byte) bool {
	switch k {
	case ValueCounter:
		n, err := strconv.ParseInt(string(b), 10, 64)
		return err == nil && strconv.FormatInt(n, 10) == string(b) // as every store spells it
	case ValueFloat:
		f, err := strconv.ParseFloat(string(b), 64)
		return err == nil && !bytes.ContainsAny(b, "_xXpP") && !math.IsNaN(f) && !math.IsInf(f, 0)
	}
	return true
}

// Validate reports every field that no Store accepts, joined. Implementations call it first.
func (p *ReadParams) Validate() error {
	errs := []error{p.Scope.validate(), ValidateName("Name", p.Name)}
	if !p.Type.known() {
		errs = append(errs, &FieldError{Field: "Type", Reason: "is unknown"})
	}
	if len(p.Fields) > MaxData {
		errs = append(errs, &FieldError{Field: "Fields", Reason: fmt.Sprintf("are more than %d", MaxData)})
	}
	if p.Offset < 0 {
		errs = append(errs, &FieldError{Field: "Offset", Reason: "is negative"})
	}
	if p.Limit < 0 || p.Limit > MaxData {
		errs = append(errs, &FieldError{Field: "Limit", Reason: fmt.Sprintf("is not between 0 and %d", MaxData)})
	}
	return JoinFields(errs...)
}

func (s ValueScope) validate() error {
	var errs []error
	bad := func(field, reason string) {
		errs = append(errs, &FieldError{Field: "Scope." + field, Reason: reason})
	}
	switch s.Of {
	case ScopeRun, ScopeJob:
		errs = append(errs, RenameFields(ValidateJobName(s.Job), func(string) string { return "Scope.Job" }))
		if s.Of == ScopeRun && s.Run <= 0 {
			bad("Run", "is not the number of a run")
		}
	case ScopeNamespace:
		if s.Expiry < 0 || s.Expiry > 0 && s.Expiry < time.Millisecond {
			bad("Expiry", "is negative, or less than a millisecond")
		}
	default:
		bad("Of", "is missing")
	}
	return JoinFields(errs...)
}

func (k ValueType) known() bool {
	switch k {
	case ValueCounter, ValueFloat, ValueTime, ValueJSON, ValueList, ValueMap:
		return true
	}
	return false
}

// fits reports whether values of the type have the operation.
func (o WriteOp) fits(k ValueType) bool {
	switch o {
	case WriteSet:
		return k != ValueList
	case WriteAdd:
		return k == ValueCounter || k == ValueFloat
	case WriteSwap:
		return k == ValueJSON || k == ValueMap
	case WriteAppend:
		return k == ValueList
	case WriteRemove:
		return k == ValueMap
	case WriteDelete:
		return true
	}
	return false
}
