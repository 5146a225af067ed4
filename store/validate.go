package store

import (
	"errors"
	"fmt"
	"slices"
	"strings"
)

// Validate reports every field that no Store accepts, joined. Implementations call it first.
func (p *StartParams) Validate() error {
	var errs []error
	bad := func(field, reason string) {
		errs = append(errs, &FieldError{Field: field, Reason: reason})
	}
	if err := ValidateJobName(p.Job); err != nil {
		errs = append(errs, err)
	}
	if p.Root == nil && !p.Open {
		bad("Root", "is missing, and the run is not open")
	}
	if err := ValidateWeight(p.Weight); err != nil {
		errs = append(errs, err)
	}
	errs = append(errs, p.times()...)
	if p.SealAfter > 0 && p.StopAfter > 0 {
		bad("StopAfter", "excludes SealAfter")
	}
	if p.Retention <= 0 {
		bad("Retention", "is not positive")
	}
	if p.FailureCap <= 0 {
		bad("FailureCap", "is not positive")
	}
	if len(p.Configuration) > MaxConfigurationLen {
		bad("Configuration", "is longer than 256 KiB")
	}
	return JoinFields(errs...)
}

// times reports the times that no Store accepts.
func (p *StartParams) times() (errs []error) {
	for name, it := range map[string]*Item{"Root": p.Root, "PreJob": p.PreJob, "PostJob": p.PostJob} {
		if it != nil {
			errs = append(errs, badTimes(1, func(int) *Item { return it }, name+"%.0[1]d")...)
		}
	}
	return append(errs, ValidateTime("Due", p.Due))
}

// Validate reports every field that no Store accepts, joined. Implementations call it first.
func (p *EnqueueParams) Validate() error {
	errs := []error{ValidateNumber(p.Number)}
	if len(p.Entries) > MaxBatch {
		errs = append(errs, &FieldError{Field: "Entries", Reason: "are more than MaxBatch"})
	}
	errs = append(errs, badTimes(len(p.Entries), func(i int) *Item { return &p.Entries[i].Item }, "Entries[%d].Item")...)
	return JoinFields(errs...)
}

// Validate reports every field that no Store accepts, joined. Implementations call it first.
func (p *FetchParams) Validate() error {
	errs := []error{ValidateNumber(p.Number)}
	if p.Max < 1 || p.Max > MaxBatch {
		errs = append(errs, &FieldError{Field: "Max", Reason: "must be 1 to MaxBatch"})
	}
	for i := range p.Budgets {
		if until := p.Budgets[i].Until; !until.IsZero() {
			errs = append(errs, ValidateTime(fmt.Sprintf("Budgets[%d].Until", i), until))
		}
	}
	return JoinFields(errs...)
}

// Validate reports every field that no Store accepts, joined. Implementations call it first.
func (p *SettleParams) Validate() error {
	errs := []error{ValidateNumber(p.Number)}
	bad := func(reason, field string, args ...any) {
		errs = append(errs, &FieldError{Field: fmt.Sprintf(field, args...), Reason: reason})
	}
	if len(p.Outcomes) > MaxBatch {
		bad("are more than MaxBatch", "Outcomes")
	}
	children := 0
	for i := range p.Outcomes {
		o := &p.Outcomes[i]
		children += len(o.Children)
		if len(o.Children) > 0 {
			errs = append(errs, badTimes(len(o.Children), func(c int) *Item { return &o.Children[c] }, fmt.Sprintf("Outcomes[%d].Children", i)+"[%d]")...)
		}
		if o.Verdict < VerdictSuccess || o.Verdict > VerdictHookDone || o.Verdict >= VerdictBegin && o.Lease.Lane.Route.Counted() {
			bad("is none that the task can have", "Outcomes[%d].Verdict", i)
		}
		if len(o.Counters) > MaxCounters {
			bad("are more than MaxCounters", "Outcomes[%d].Counters", i)
		}
		for _, err := range badNames(o.Counters) {
			bad(err.Reason, "Outcomes[%d].%s", i, err.Field)
		}
		if err := o.validateWrites(); err != nil {
			errs = append(errs, RenameFields(err, func(field string) string { return fmt.Sprintf("Outcomes[%d].%s", i, field) }))
		}
		for _, err := range badStaged(o.Staged) {
			bad(err.Reason, "Outcomes[%d].%s", i, err.Field)
		}
		if len(o.Result) > MaxResultLen {
			bad("is longer than MaxResultLen", "Outcomes[%d].Result", i)
		}
	}
	if children > MaxBatch {
		bad("are more than MaxBatch", "Outcomes.Children")
	}
	return JoinFields(errs...)
}

// badStaged reports routes that are listed twice, and counts below zero.
func badStaged(staged []Staged) (bad []*FieldError) {
	for i := range staged {
		if staged[i].Count < 0 {
			bad = append(bad, &FieldError{Field: fmt.Sprintf("Staged[%d].Count", i), Reason: "is negative"})
		}
		if slices.ContainsFunc(staged[:i], func(s Staged) bool { return s.Route == staged[i].Route }) {
			bad = append(bad, &FieldError{Field: fmt.Sprintf("Staged[%d].Route", i), Reason: "is listed before"})
		}
	}
	return bad
}

// Validate reports every field that no Store accepts, joined. Implementations call it first.
func (p *StageParams) Validate() error {
	var errs []error
	bad := func(field, reason string) {
		errs = append(errs, &FieldError{Field: field, Reason: reason})
	}
	if p.Offset < 0 {
		bad("Offset", "is negative")
	}
	if len(p.Items) > MaxBatch {
		bad("Items", "are more than MaxBatch")
	}
	errs = append(errs, badTimes(len(p.Items), func(i int) *Item { return &p.Items[i] }, "Items[%d]")...)
	for i := range p.Items {
		if p.Items[i].Route != p.Route {
			bad(fmt.Sprintf("Items[%d].Route", i), "differs from the route of the chunk")
		}
	}
	return JoinFields(errs...)
}

// StagedAt judges a chunk by how many children are staged there: it is new (nil), a repeat, or neither, with the
// error that Stage returns. Implementations call it.
func (p *StageParams) StagedAt(have int) (repeat bool, err error) {
	switch {
	case have >= p.Offset+len(p.Items):
		return true, nil
	case have < p.Offset:
		return false, fmt.Errorf("%d of %d are there: %w", have, p.Offset, ErrChildrenLost)
	case have > p.Offset:
		return false, &FieldError{Field: "Offset", Reason: fmt.Sprintf("is %d where %d are staged", p.Offset, have)}
	}
	return false, nil
}

// badNames reports the counters whose names are not valid, in order.
func badNames(counters map[string]int64) (bad []*FieldError) {
	for name := range counters {
		err := ValidateName("Counters", name)
		if err == nil {
			continue
		}
		if field := (*FieldError)(nil); errors.As(err, &field) {
			bad = append(bad, &FieldError{Field: fmt.Sprintf("Counters[%q]", name), Reason: field.Reason})
		}
	}
	slices.SortFunc(bad, func(a, b *FieldError) int { return strings.Compare(a.Field, b.Field) })
	return bad
}
