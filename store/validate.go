package store

import "errors"

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
	if !(p.Weight > 0) { // refuses NaN too
		bad("Weight", "is not positive")
	}
	if p.Retention <= 0 {
		bad("Retention", "is not positive")
	}
	if p.FailureCap <= 0 {
		bad("FailureCap", "is not positive")
	}
	return errors.Join(errs...)
}
