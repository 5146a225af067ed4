package store

import (
	"fmt"
	"slices"
	"time"

	"github.com/rollcall-go/rollcall/store/bounds"
	"github.com/rollcall-go/rollcall/store/histogram"
	"github.com/rollcall-go/rollcall/store/verdicts"
)

// Validate returns a [*FieldError] for each bad field, joined.
func (a Answered) Validate() error {
	var f faults
	f.check(within("Answered.Fetched", a.Fetched, 0, bounds.MaxNumber), "")
	f.check(within("Answered.Settled", a.Settled, 0, bounds.MaxNumber), "")
	return f.err()
}

// validateSession checks the parameters of OpenSession.
func validateSession(id SessionID, info WorkerInfo, lease time.Duration) error {
	var f faults
	f.check(id.validate(), "")
	f.check(ValidateNote("Info.Name", info.Name), "")
	f.check(ValidateNote("Info.Host", info.Host), "")
	f.add(len(info.Version) > bounds.MaxVersionLen, "Info.Version", "is longer than 128 bytes")
	f.check(validateRoutes("Info.Routes", info.Routes), "")
	f.check(ValidateTime("Info.Started", info.Started), "")
	f.add(!info.Status.Valid(), "Info.Status", "is not that of a worker")
	f.add(lease <= 0, "Lease", "is not positive")
	return f.err()
}

// Validate returns a [*FieldError] for each bad field, joined. Only the store knows its partitions.
func (p *WorkerStatusParams) Validate() error {
	var f faults
	f.check(p.Session.validate(), "")
	f.add(!p.Status.Valid(), "Status", "is not that of a worker")
	f.check(ValidateNote("Worker", p.Worker), "")
	return f.err()
}

// Validate returns a [*FieldError] for each bad field, joined.
func (p *FetchParams) Validate() error {
	var f faults
	f.check(p.Session.validate(), "")
	f.check(validateNumber(p.Number), "")
	f.check(p.Answered.Validate(), "")
	f.check(within("Max", p.Max, 1, bounds.MaxBatch), "")
	f.add(p.MaxBytes < 0, "MaxBytes", "is negative")
	for i := range p.Queues {
		f.at(i, p.Queues[i].validate(), "Queues[%d].")
	}
	for i := range p.Budgets {
		f.at(i, p.Budgets[i].Scope.validate(), "Budgets[%d].")
		f.at(i, ValidateTime("Until", p.Budgets[i].Until), "Budgets[%d].")
	}
	for i := range p.PerRun {
		f.at(i, p.PerRun[i].Scope.validate(), "PerRun[%d].")
	}
	f.check(validateNames("InReadOnly", p.InReadOnly), "")
	return f.err()
}

func (q *FetchQueue) validate() error {
	var f faults
	f.name("Queue", q.Queue)
	for i, r := range q.Routes {
		if r.Queue != q.Queue {
			f.add(true, fmt.Sprintf("Routes[%d].Queue", i), "is not the queue")
			continue
		}
		f.at(i, RenameFields(r.validate(), routeField), "Routes[%d].")
	}
	return f.err()
}

func (s *Scope) validate() error {
	var f faults
	f.name("Scope.Set", s.Set)
	for i, kind := range s.Kinds {
		if kind != KindPreJob && kind != KindPostJob { // which no scope covers
			f.at(i, ValidateName("", kind), "Scope.Kinds[%d]")
		}
	}
	return f.err()
}

// Validate returns a [*FieldError] for each bad field, joined.
func (p *SettleParams) Validate() error {
	var f faults
	f.check(p.Session.validate(), "")
	f.check(validateNumber(p.Number), "")
	f.check(p.Answered.Validate(), "")
	f.add(len(p.Outcomes) > bounds.MaxBatch, "Outcomes", "are more than bounds.MaxBatch")
	children := 0
	var leases, items itemCheck
	for i := range p.Outcomes {
		o := &p.Outcomes[i]
		children += len(o.Children)
		f.at(i, leases.lease(&o.Lease), "Outcomes[%d].")
		f.at(i, o.validate(&items), "Outcomes[%d].")
	}
	f.add(children > bounds.MaxBatch, "Outcomes.Children", "are more than bounds.MaxBatch")
	f.add(len(p.Times) > bounds.MaxRouteTimes, "Times", "are more than bounds.MaxRouteTimes")
	for i := range p.Times {
		f.at(i, p.Times[i].validate(), "Times[%d].")
	}
	return f.err()
}

func (t *RouteTimes) validate() error {
	var f faults
	f.check(t.Route.validate(), "")
	f.add(!t.Route.Counted(), "Route", "is of hooks")
	f.times("Wait", t.Wait)
	f.times("Run", t.Run)
	return f.err()
}

func (f *faults) times(field string, h histogram.Histogram) {
	if err := h.Validate(); err != nil {
		f.add(true, field, err.Error())
	}
	f.add(h.Count() > bounds.MaxNumber, field, "counts more than bounds.MaxNumber")
}

// lease checks that Fetch can have given the lease. Only the store knows whether it is held.
func (c *itemCheck) lease(l *Lease) error {
	if l.Lane.Route == c.known {
		return nil
	}
	if err := l.Lane.Route.validate(); err != nil {
		return RenameFields(err, func(field string) string { return "Lease.Lane." + field })
	}
	c.known = l.Lane.Route
	return nil
}

func (o *Outcome) validate(items *itemCheck) error {
	if o.Verdict == verdicts.Success && o.bringsNothing() {
		return o.Task.validate()
	}
	var f faults
	hook := !o.Lease.Lane.Route.Counted()
	f.add(o.Verdict < verdicts.Success || o.Verdict > verdicts.HookDone || o.Verdict >= verdicts.Begin && !hook,
		"Verdict", "is not one that the task can have")
	if err := o.Task.validate(); err != nil {
		f.check(err, "")
	}
	for i := range o.Children {
		f.at(i, items.ordinary(&o.Children[i]), "Children[%d].")
	}
	f.add(len(o.Counters) > bounds.MaxCounters, "Counters", "are more than bounds.MaxCounters")
	for name := range o.Counters {
		if err := ValidateName("", name); err != nil {
			f.check(err, fmt.Sprintf("Counters[%.80q]", name))
		}
	}
	if len(o.Writes) > 0 {
		f.check(o.validateWrites(), "")
	}
	f.check(validateStaged(o.Staged), "")
	f.add(len(o.Result) > bounds.MaxResultLen, "Result", "is longer than bounds.MaxResultLen")
	f.check(RenameFields(o.Keep.Validate(), func(field string) string { return "Keep." + field }), "")
	return f.err()
}

// Validate returns a [*FieldError] for each bad field, joined.
func (r ResultRetention) Validate() error {
	var f faults
	f.add(r.Age != 0 && (r.Age < time.Millisecond || r.Age > bounds.MaxFill), "Age", "is not 1 ms to 100 years")
	f.add(r.Number < 0, "Number", "is negative")
	return f.err()
}

// bringsNothing reports whether there is only a verdict, as in most outcomes.
func (o *Outcome) bringsNothing() bool {
	return len(o.Children)+len(o.Counters)+len(o.Writes)+len(o.Staged)+len(o.Result) == 0
}

// validateStaged refuses routes that are listed twice, routes of hooks, and counts below zero.
func validateStaged(staged []Staged) error {
	var f faults
	for i := range staged {
		f.at(i, staged[i].validate(staged[:i]), "Staged[%d].")
	}
	return f.err()
}

func (s *Staged) validate(before []Staged) error {
	var f faults
	f.check(s.Route.validate(), "")
	f.add(!s.Route.Counted(), "Route.Kind", "is that of a hook")
	f.add(s.Count < 0, "Count", "is negative")
	f.add(slices.ContainsFunc(before, func(b Staged) bool { return b.Route == s.Route }), "Route", "is listed before")
	return f.err()
}

// Validate returns a [*FieldError] for each bad field, joined.
func (p *StageParams) Validate() error {
	var f faults
	var leases, items itemCheck
	f.check(p.Session.validate(), "")
	f.check(leases.lease(&p.Lease), "")
	f.check(within("Offset", int64(p.Offset), 0, bounds.MaxNumber), "")
	f.add(len(p.Items) > bounds.MaxBatch, "Items", "are more than bounds.MaxBatch")
	for i := range p.Items {
		if p.Items[i].Route != p.Route {
			f.add(true, fmt.Sprintf("Items[%d].Route", i), "differs from the route of the chunk")
			continue
		}
		f.at(i, items.ordinary(&p.Items[i]), "Items[%d].")
	}
	f.check(p.Route.validate(), "")
	return f.err()
}

// StagedAt compares a chunk with the number of children that are staged already. It returns whether
// the chunk is a repeat, or the error for Stage. Implementations call it.
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

// Validate returns a [*FieldError] for each bad field, joined.
func (p *HeartbeatParams) Validate() error {
	var f faults
	f.check(p.Session.validate(), "")
	f.check(p.Answered.Validate(), "")
	f.add(p.Lease <= 0, "Lease", "is not positive")
	for i := range p.Running {
		f.at(i, ValidateTime("Since", p.Running[i].Since), "Running[%d].")
	}
	for set, version := range p.Configurations {
		f.check(ValidateName("Configurations", set), "")
		f.add(version < 0, "Configurations", "has a negative version")
	}
	return f.err()
}

// validateRuns checks that all runs are in the session's partition; n is the number of partitions.
func (p *HeartbeatParams) validateRuns(n int) error {
	var f faults
	for i, id := range p.Runs {
		f.at(i, id.validateIn(p.Session.Partition, n), "Runs[%d].")
	}
	for i := range p.Running {
		f.at(i, p.Running[i].Run.validateIn(p.Session.Partition, n), "Running[%d].")
	}
	return f.err()
}
