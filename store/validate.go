package store

import (
	"fmt"
	"time"
	"unicode/utf8"

	"github.com/rollcall-go/rollcall/store/bounds"
)

// faults collects the problems of an input. It is nil while there are none.
type faults []error

// add records a problem of a field if bad is true.
func (f *faults) add(bad bool, field, reason string) {
	if bad {
		*f = append(*f, &FieldError{Field: field, Reason: reason})
	}
}

// check records err if it is not nil. Its fields get the prefix.
func (f *faults) check(err error, prefix string) {
	if err != nil {
		*f = append(*f, RenameFields(err, func(field string) string { return prefix + field }))
	}
}

// at is check for element i of a list. The format of the prefix has the index.
func (f *faults) at(i int, err error, format string) {
	if err != nil {
		f.check(err, fmt.Sprintf(format, i))
	}
}

// name records problems of a name by the rule of [ValidateName].
func (f *faults) name(field, name string) {
	if err := ValidateName(field, name); err != nil {
		*f = append(*f, err)
	}
}

func (f faults) err() error { return JoinFields(f...) }

// within checks a whole number against its bounds.
func within[N int | int64](field string, n, low, high N) error {
	if n < low || n > high {
		return &FieldError{Field: field, Reason: fmt.Sprintf("is not within %d to %d", low, high)}
	}
	return nil
}

// validatePartition checks that a partition is one of the store's n.
func validatePartition(field string, partition, n int) error {
	if partition < 0 || partition >= n {
		return &FieldError{Field: field, Reason: fmt.Sprintf("is not one of the store's %d", n)}
	}
	return nil
}

// validate checks the name of a run's job. It does not check the number: a run with an impossible
// number is just not found.
func (id RunID) validate() error {
	return RenameFields(ValidateJobName(id.Job), func(string) string { return "Run.Job" })
}

// validateIn checks that a run can be in the partition; n is the number of partitions.
func (id RunID) validateIn(partition, n int) error {
	if PartitionOf(id.Job, n) != partition {
		return &FieldError{Field: "Run.Job", Reason: fmt.Sprintf("is not a job of the partition %d", partition)}
	}
	return nil
}

// validate checks the ID of a session.
func (id SessionID) validate() error { return ValidateName("Session.ID", id.ID) }

// validate checks the names of a route, of a task or of a hook.
func (r Route) validate() error {
	var f faults
	f.name("Route.Queue", r.Queue)
	f.name("Route.Set", r.Set)
	if r.Counted() {
		f.name("Route.Kind", r.Kind)
	}
	return f.err()
}

// validateRoutes checks a list of routes, and that each is listed once.
func validateRoutes(field string, routes []Route) error {
	var f faults
	for i, r := range routes {
		f.at(i, RenameFields(r.validate(), routeField), field+"[%d].")
	}
	return f.err()
}

// validateNames checks a list of names.
func validateNames(field string, names []string) error {
	var f faults
	for i, name := range names {
		f.at(i, ValidateName("", name), field+"[%d]")
	}
	return f.err()
}

// routeField removes "Route." from the name of a field.
func routeField(field string) string { return field[len("Route."):] }

// maxTries is the highest count of retries, snoozes or crashes of a task.
const maxTries = 1<<31 - 1

// validate checks a task. It is called for every task, so it must be cheap for valid ones.
func (t *Task) validate() error {
	tries := func(n int) bool { return n < 0 || n > maxTries }
	plain := len(t.ID) <= bounds.MaxTaskIDLen && utf8.ValidString(t.ID) && (!t.Claimed || t.ID != "") &&
		t.Keep >= 0 && !tries(t.Retry) && !tries(t.Snoozes) && !tries(t.Crashes) &&
		len(t.Payload) <= bounds.DefaultMaxPayload && ValidateTime("", t.Enqueued) == nil && t.isBare()
	if plain {
		return nil
	}
	var f faults
	f.add(t.Claimed && t.ID == "", "Task.ID", "is empty, but Claimed is set")
	f.add(len(t.ID) > bounds.MaxTaskIDLen, "Task.ID", "is too long")
	f.add(!utf8.ValidString(t.ID), "Task.ID", "is not valid UTF-8")
	f.add(t.Keep < 0, "Task.Keep", "is negative")
	f.check(within("Task.Retry", t.Retry, 0, maxTries), "")
	f.check(within("Task.Snoozes", t.Snoozes, 0, maxTries), "")
	f.check(within("Task.Crashes", t.Crashes, 0, maxTries), "")
	f.add(len(t.Payload) > bounds.DefaultMaxPayload, "Task.Payload", "is longer than 1 MiB")
	f.check(ValidateTime("Task.Enqueued", t.Enqueued), "")
	f.check(ValidateTime("Task.Ready", t.Ready), "")
	f.check(validateExpires("Task.Expires", t.Expires), "")
	f.check(validateHeaders("Task.Headers", t.Headers), "")
	f.check(validateAttempts("Task.Attempts", t.Attempts), "")
	return f.err()
}

// isBare reports whether a task has nothing that only few tasks have.
func (t *Task) isBare() bool {
	return t.Ready.IsZero() && t.Expires.IsZero() && len(t.Headers)+len(t.Attempts) == 0
}

// validateExpires refuses times that stores do not keep as they are.
func validateExpires(field string, t time.Time) error {
	var f faults
	f.check(ValidateTime(field, t), "")
	whole := t.IsZero() || t.UnixMilli() > 0 && t.Equal(time.UnixMilli(t.UnixMilli()))
	f.add(!whole, field, "is not in whole ms after 1970")
	return f.err()
}

// attemptOverhead is what an attempt takes at most beside its texts, in bytes.
const attemptOverhead = 24

// validateAttempts refuses what [Task.Tried] does not leave.
func validateAttempts(field string, all []Attempt) error {
	var f faults
	size := 0
	for i := range all {
		a := &all[i]
		size += attemptOverhead + len(a.Worker) + len(a.Error)
		f.check(ValidateTime(field, a.Ended), "")
		f.add(a.Took < 0, field, "have a negative duration")
		f.add(!utf8.ValidString(a.Worker) || !utf8.ValidString(a.Error), field, "hold invalid UTF-8")
	}
	f.add(len(all) > bounds.MaxAttempts, field, "are more than bounds.MaxAttempts")
	f.add(size > bounds.MaxAttemptBytes, field, "are longer than bounds.MaxAttemptBytes")
	return f.err()
}

// validateHeaders checks headers of a task or of a run.
func validateHeaders(field string, headers map[string]string) error {
	for key, value := range headers {
		if !utf8.ValidString(key) || !utf8.ValidString(value) {
			return &FieldError{Field: field, Reason: "hold invalid UTF-8"}
		}
	}
	return nil
}

// itemCheck checks items. If an item has the same route as the last one, the route is not checked
// again.
type itemCheck struct{ known Route }

// ordinary checks an item that is not a hook.
func (c *itemCheck) ordinary(it *Item) error {
	if it.Route != c.known {
		if !it.Route.Counted() {
			return &FieldError{Field: "Route.Kind", Reason: "is that of a hook"}
		}
		if err := it.Route.validate(); err != nil {
			return err
		}
		c.known = it.Route
	}
	if it.At.IsZero() {
		return it.Task.validate()
	}
	var f faults
	f.check(it.Task.validate(), "")
	f.check(ValidateTime("At", it.At), "")
	f.add(it.Delay != 0, "At", "cannot be set together with Delay")
	f.add(it.Task.Expired(it.At), "Task.Expires", "is not after At")
	return f.err()
}

// hook checks the task of a hook of that kind.
func (c *itemCheck) hook(it *Item, kind string) error {
	var f faults
	f.check(it.Route.validate(), "")
	f.add(it.Route.Kind != kind, "Route.Kind", fmt.Sprintf("is not %q", kind))
	f.check(it.Task.validate(), "")
	f.add(it.Task.Claimed, "Task.Claimed", "is set for a hook")
	f.add(!it.Task.Expires.IsZero(), "Task.Expires", "is set for a hook")
	f.add(it.Delay != 0, "Delay", "is set for a hook")
	f.add(!it.At.IsZero(), "At", "is set for a hook")
	return f.err()
}
