package store

import (
	"bytes"
	"fmt"
	"math"
	"strconv"
	"time"

	"github.com/rollcall-go/rollcall/store/bounds"
)

// Validate returns a [*FieldError] for each bad field, joined.
func (p *WriteParams) Validate() error {
	var f faults
	f.name("Stream", p.Stream)
	f.check(validateNumber(p.Number), "")
	f.add(len(p.Writes) > bounds.MaxBatch, "Writes", "are more than bounds.MaxBatch")
	for i := range p.Writes {
		f.at(i, p.Writes[i].Validate(), "Writes[%d].")
	}
	return f.err()
}

// validateScopes checks that all values are in the partition; n is the number of partitions.
func (p *WriteParams) validateScopes(n int) error {
	var f faults
	for i := range p.Writes {
		if w := &p.Writes[i]; PartitionOfValue(w.Scope, w.Name, n) != p.Partition {
			f.add(true, fmt.Sprintf("Writes[%d].Scope", i), "is not of the partition")
		}
	}
	return f.err()
}

// Grows reports whether a write may need memory. A batch without such writes succeeds even if the
// store has none left.
func (w *Write) Grows() bool { return w.Op != WriteRemove && w.Op != WriteDelete }

// Len returns how many bytes the names and values of the write have.
func (w *Write) Len() int {
	n := len(w.Expect)
	for i := range w.Data {
		n += len(w.Data[i].Field) + len(w.Data[i].Bytes)
	}
	return n
}

// Size returns roughly how many bytes the write has in a call.
func (w *Write) Size() int {
	return 64 + len(w.Scope.Job) + 16*len(w.Data) + w.Len()
}

// Validate returns a [*FieldError] for each bad field, joined.
func (w *Write) Validate() error {
	var f faults
	f.check(w.Scope.validate(), "")
	f.name("Name", w.Name)
	f.add(!w.Type.known(), "Type", "is unknown")
	f.add(w.Type.known() && !w.Op.fits(w.Type), "Op", "is not one that the type of value has")
	f.add(w.Cap < 0, "Cap", "is negative")
	f.check(w.validateData(), "")
	return f.err()
}

// validateData checks the number and the size of the data.
func (w *Write) validateData() error {
	var f faults
	single := w.Op == WriteAdd || w.Op == WriteSwap || w.Op == WriteSet && w.Type != ValueMap
	f.add(single && len(w.Data) != 1, "Data", "must be one")
	f.add(!single && len(w.Data) > bounds.MaxData, "Data", "are more than 1000")
	for i := range w.Data {
		f.at(i, w.Data[i].validate(w.Type), "Data[%d]")
	}
	f.add(w.Len() > bounds.MaxWriteLen, "Data", "take more than 4 MiB")
	return f.err()
}

// validate checks one datum. The names of its fields are empty.
func (d *Datum) validate(k ValueType) error {
	var f faults
	f.add(len(d.Field) > bounds.MaxFieldLen, "", "has a name longer than 8 KiB")
	f.add(len(d.Bytes) > bounds.MaxValueLen, "", "is longer than 1 MiB")
	f.add(!numeric(k, d.Bytes), "", "is not a number")
	return f.err()
}

// numeric reports whether b is valid for a value of the type.
func numeric(k ValueType, b []byte) bool {
	switch k {
	case ValueCounter:
		n, _ := strconv.ParseInt(string(b), 10, 64) // what is no number has another form than n
		return strconv.FormatInt(n, 10) == string(b)
	case ValueFloat:
		f, err := strconv.ParseFloat(string(b), 64)
		return err == nil && !bytes.ContainsAny(b, "_xXpP") && !math.IsNaN(f) && !math.IsInf(f, 0)
	}
	return true
}

// Validate returns a [*FieldError] for each bad field, joined.
func (p *ReadParams) Validate() error {
	var f faults
	f.check(p.Scope.validate(), "")
	f.name("Name", p.Name)
	f.add(!p.Type.known(), "Type", "is unknown")
	f.add(len(p.Fields) > bounds.MaxData, "Fields", "are more than 1000")
	f.add(p.Offset < 0, "Offset", "is negative")
	f.check(within("Limit", p.Limit, 0, bounds.MaxData), "")
	return f.err()
}

// Validate returns a [*FieldError] for each bad field, joined.
func (p *ValuesParams) Validate() error {
	var f faults
	f.check(p.Scope.validate(), "")
	f.check(within("Limit", p.Limit, 1, bounds.MaxPage), "")
	return f.err()
}

// validate checks the owner of a value.
func (s ValueScope) validate() error {
	var f faults
	switch s.Of {
	case ScopeRun:
		f.check(within("Scope.Run", s.Run, 1, bounds.MaxNumber), "")
		fallthrough
	case ScopeJob:
		f.check(RenameFields(ValidateJobName(s.Job), func(string) string { return "Scope.Job" }), "")
	case ScopeNamespace:
		f.add(
			s.Expiry < 0 || s.Expiry > 0 && s.Expiry < time.Millisecond, "Scope.Expiry",
			"is negative, or less than a millisecond",
		)
	default:
		f.add(true, "Scope.Of", "is missing")
	}
	return f.err()
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
