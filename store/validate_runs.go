package store

import "github.com/rollcall-go/rollcall/store/bounds"

// maxTokenLen is the largest length of a start's token, in bytes: a caller's key, and a prefix.
const maxTokenLen = 2 * bounds.MaxTaskIDLen

// Validate returns a [*FieldError] for each bad field, joined.
func (p *StartParams) Validate() error {
	var f faults
	f.check(ValidateJobName(p.Job), "")
	f.check(validateText("Token", p.Token, maxTokenLen), "")
	f.name("Set", p.Set)
	f.add(len(p.Args) > bounds.DefaultMaxPayload, "Args", "are longer than 1 MiB")
	f.check(validateHeaders("Headers", p.Headers), "")
	f.check(ValidateLabels(p.Labels), "")
	f.check(p.validateItems(), "")
	f.check(ValidateWeight(p.Weight), "")
	f.check(validateDue("Due", p.Due), "")
	f.add(p.SealAfter < 0, "SealAfter", "is negative")
	f.add(p.StopAfter < 0, "StopAfter", "is negative")
	f.add(p.Deadline < 0, "Deadline", "is negative")
	f.add(p.SealAfter > 0 && p.StopAfter > 0, "StopAfter", "excludes SealAfter")
	f.add(p.Retention <= 0, "Retention", "is not positive")
	f.add(p.FailureCap < 1, "FailureCap", "is not positive")
	f.check(p.OnFailure.Validate(), "")
	f.check(within("RedriveOf", p.RedriveOf, 0, bounds.MaxNumber), "")
	f.add(len(p.Configuration) > bounds.MaxConfigurationLen, "Configuration", "is longer than 256 KiB")
	return f.err()
}

// Validate returns a [*FieldError] if no run can start so.
func (o OnFailure) Validate() error {
	if o != OnFailureEnd && o != OnFailureHold {
		return &FieldError{Field: "OnFailure", Reason: "is neither OnFailureEnd nor OnFailureHold"}
	}
	return nil
}

// validateItems checks the first task of a run, and its hooks.
func (p *StartParams) validateItems() error {
	var f faults
	var items itemCheck
	if p.Root != nil {
		f.check(items.ordinary(p.Root), "Root.")
	} else {
		f.add(!p.Open, "Root", "is missing, and the run is not open")
	}
	if p.PreJob != nil {
		f.check(items.hook(p.PreJob, KindPreJob), "PreJob.")
	}
	if p.PostJob != nil {
		f.check(items.hook(p.PostJob, KindPostJob), "PostJob.")
	}
	return f.err()
}

// Validate returns a [*FieldError] for each bad field, joined.
func (p *StopParams) Validate() error {
	var f faults
	f.check(p.Run.validate(), "")
	f.check(ValidateNote("Reason", p.Reason), "")
	return f.err()
}

// Validate returns a [*FieldError] for each bad field, joined.
func (p *EnqueueParams) Validate() error {
	var f faults
	f.name("Stream", p.Stream)
	f.check(validateNumber(p.Number), "")
	f.add(len(p.Holds) > bounds.MaxBatch, "Holds", "are more than bounds.MaxBatch")
	f.add(len(p.Entries) > bounds.MaxBatch, "Entries", "are more than bounds.MaxBatch")
	if p.Audit != nil {
		f.check(p.Audit.Validate(), "Audit.")
	}
	for i := range p.Holds {
		f.at(i, p.Holds[i].validate(), "Holds[%d].")
	}
	var items itemCheck
	for i := range p.Entries {
		f.at(i, items.ordinary(&p.Entries[i].Item), "Entries[%d].Item.")
	}
	return f.err()
}

// validateRuns checks that all runs are in the partition; n is the number of partitions.
func (p *EnqueueParams) validateRuns(n int) error {
	var f faults
	var known RunID
	check := func(id RunID, field string, i int) {
		if id == known {
			return
		}
		err := id.validateIn(p.Partition, n)
		f.at(i, err, field)
		if err == nil {
			known = id
		}
	}
	for i := range p.Holds {
		check(p.Holds[i].Run, "Holds[%d].", i)
	}
	for i := range p.Entries {
		check(p.Entries[i].Run, "Entries[%d].", i)
	}
	return f.err()
}

func (h *HoldChange) validate() error {
	var f faults
	f.name("Name", h.Name)
	f.add(h.Name == HoldFailures, "Name", "is taken: RedoAccept ends that hold")
	if h.Mark != "" {
		f.name("Mark", h.Mark)
	}
	if h.From != "" {
		f.name("From", h.From)
	}
	return f.err()
}
