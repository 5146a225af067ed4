package handlers

import (
	"encoding/json"
	"fmt"
	"math"
	"slices"
	"time"
	"unicode/utf8"

	"github.com/rollcall-go/rollcall/enqueue"
	"github.com/rollcall-go/rollcall/store"
)

// Values that switch a setting off. Zero would inherit it.
const (
	NoRetries = enqueue.NoRetries
	NoTimeout = enqueue.NoTimeout
	// NoLimit means no limit. It is for MaxRunning, MaxRunningPerJob and [Rate].Events.
	NoLimit = -1
)

// Defaults of [Attributes].
const (
	DefaultMaxRetries = 3
	DefaultTimeout    = time.Hour

	defaultMaxDeliveries = 3
	defaultMaxSnoozes    = 1000
	defaultWeight        = 1.0
)

// maxParams is the largest size of Params, in bytes of JSON.
const maxParams = 64 << 10

// MaxScript is the largest size of [Attributes].Script, in bytes.
const MaxScript = 64 << 10

// Attributes say how tasks are run. In code, they are set in [SetConfig] for a set, and in
// [KindOptions] for a kind. All except the functions can be changed while workers run. A zero field
// inherits; the package documentation says from where. Hooks use the values of their set, but not
// its functions.
type Attributes struct {
	// Queue that tasks wait in. It is read when a task is enqueued. A change does not move waiting
	// tasks. Workers keep the queues that they were started with, so one of them must already serve
	// the new queue. Defaults to [enqueue.DefaultQueue].
	Queue string `json:"queue,omitempty"`
	// MaxRetries is how often a failed task is tried again, or [NoRetries]: 3 means up to 4 attempts.
	// Defaults to 3.
	MaxRetries int `json:"max_retries,omitempty"`
	// MaxRetriesFor returns MaxRetries for the attempt that has just failed; 0 inherits. It cannot be
	// set together with MaxRetries.
	MaxRetriesFor func(*Attempt) int `json:"-"`
	// Timeout of one attempt, or [NoTimeout]. After it, the handler's context is cancelled. A handler
	// that ignores this keeps its slot, and is logged. Defaults to 1 hour.
	Timeout time.Duration `json:"timeout,omitempty"`
	// TimeoutFor returns Timeout for an attempt that is about to start; 0 inherits. It cannot be set
	// together with Timeout.
	TimeoutFor func(*Attempt) time.Duration `json:"-"`
	// Backoff gives the delays before retries. It is inherited as a whole. Defaults to the defaults of
	// [Exponential].
	Backoff Exponential `json:"backoff,omitzero"`
	// BackoffFor returns the delay before the next retry of the attempt that has just failed.
	// [Attempt].Retry does not count that attempt. 0 inherits; a negative result means no delay. It
	// cannot be set together with Backoff.
	BackoffFor func(*Attempt) time.Duration `json:"-"`
	// MaxDeliveries limits crashes. A task that is recovered from a crashed worker runs alone. When
	// this many workers have died while they ran the task alone, it fails and is not run again.
	// Defaults to 3.
	MaxDeliveries int `json:"max_deliveries,omitempty"`
	// MaxSnoozes is how often one task may be snoozed. Defaults to 1000.
	MaxSnoozes int `json:"max_snoozes,omitempty"`
	// MaxRunning is how many tasks run at once in all workers together, or [NoLimit]. The limit of a
	// set is for all its kinds together. Kinds do not inherit it: both limits hold. Defaults to
	// NoLimit.
	MaxRunning int `json:"max_running,omitempty"`
	// MaxRunningPerJob is like MaxRunning, but counts the tasks of each job separately. Defaults to
	// NoLimit.
	MaxRunningPerJob int `json:"max_running_per_job,omitempty"`
	// Rate limits how many tasks start in a period, in all workers together. As for MaxRunning, kinds
	// do not inherit it. Defaults to NoLimit events.
	Rate Rate `json:"rate,omitzero"`
	// ResultRetention says how long and how many results of tasks are kept; see [Attempt.SetResult].
	// It is read when an attempt begins, and is inherited as a whole. Defaults to all results that the
	// run has room for, as long as the run is kept.
	ResultRetention ResultRetention `json:"result_retention,omitzero"`
	// Weight of a run if its job has no weight, from 0.000001 to 1000000. Only sets have it. It is
	// read when a run starts. Defaults to 1.
	Weight float64 `json:"weight,omitempty"`
	// Params are parameters for the handlers: any value that can be encoded as JSON, up to
	// 64 KiB. Handlers read them with [Attempt.DecodeParams]. They are inherited as a whole.
	// Defaults to none.
	Params any `json:"params,omitempty"`
	// Script is the source of a script, up to [MaxScript] bytes, that computes attributes, and hooks
	// and handlers, as its language allows. Only sets have it, and only sets with a
	// [SetConfig].Scripting. Defaults to none.
	Script string `json:"script,omitempty"`

	script Script // compiled; only in attributes in force
}

// Scripting compiles the scripts of a set, so that what they say changes without a deploy. It is
// set by [SetConfig].Scripting. Package handlers/script, a module of its own, has one.
type Scripting interface {
	// Compile compiles a script, or says why it cannot: the text of the error names line and column.
	// It is called when a script is configured, and once in each process for each new script, not for
	// each attempt. It must give the same result for the same script. It may be called concurrently.
	Compile(source string) (Script, error)
}

// Script is a compiled script. Its methods may be called concurrently.
type Script interface {
	// Attributes returns the attributes that the script computes: MaxRetriesFor, TimeoutFor and
	// BackoffFor. Other fields have no effect.
	Attributes() Attributes
}

// Rate limits how many events may happen in a period. The zero value inherits.
type Rate struct {
	Events int           `json:"events,omitempty"` // up to [bounds.MaxRateEvents], or [NoLimit]
	Per    time.Duration `json:"per,omitempty"`    // from 1 ms to 31 days. Defaults to 1 s.
	Burst  int           `json:"burst,omitempty"`  // how many may happen at once after a pause, up to [bounds.MaxRateEvents]. Defaults to Events.
}

// complete fills in the defaults of a rate that limits.
func (r Rate) complete() Rate {
	if r.Events <= 0 {
		return Rate{Events: NoLimit}
	}
	if r.Per == 0 {
		r.Per = time.Second
	}
	if r.Burst == 0 {
		r.Burst = r.Events
	}
	return r
}

// isSet reports whether a number is not zero. Negative zero counts as set, since its JSON is not 0
// either.
func isSet(f float64) bool { return f != 0 || math.Signbit(f) }

// UnmarshalJSON implements [json.Unmarshaler]. Params become a [json.RawMessage]. Durations are
// numbers of nanoseconds. A field that is present and zero or empty gives a [*store.FieldError]:
// leave a field out to inherit.
func (a *Attributes) UnmarshalJSON(b []byte) error {
	type plain Attributes
	read := struct {
		*plain
		Params json.RawMessage `json:"params"`
	}{plain: (*plain)(a)}
	if err := json.Unmarshal(b, &read); err != nil {
		return err
	}
	if err := refuseZeros(b); err != nil {
		return err
	}
	if a.Params = nil; read.Params != nil {
		a.Params = read.Params
	}
	return nil
}

// functions names the attributes that are set as functions.
func (a *Attributes) functions() (names []string) {
	for name, is := range map[string]bool{"MaxRetriesFor": a.MaxRetriesFor != nil, "TimeoutFor": a.TimeoutFor != nil, "BackoffFor": a.BackoffFor != nil} {
		if is {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names
}

// scope says to what the attributes to be validated belong.
type scope uint8

const (
	ofSet scope = iota + 1
	ofKind
)

// validate reports every problem; the names of the fields follow prefix.
func (a *Attributes) validate(prefix string, of scope) error {
	var problems []error
	refuse := func(bad bool, field, reason string) {
		if bad {
			problems = append(problems, &store.FieldError{Field: prefix + field, Reason: reason})
		}
	}
	if a.Queue != "" {
		problems = append(problems, store.ValidateName(prefix+"Queue", a.Queue))
	}
	refuse(a.MaxRetries < NoRetries, "MaxRetries", "is negative and not NoRetries")
	refuse(a.MaxRetries != 0 && a.MaxRetriesFor != nil, "MaxRetriesFor", "cannot be set together with MaxRetries")
	refuse(a.Timeout < NoTimeout, "Timeout", "is negative and not NoTimeout")
	refuse(a.Timeout != 0 && a.TimeoutFor != nil, "TimeoutFor", "cannot be set together with Timeout")
	refuse(a.Backoff != Exponential{} && a.BackoffFor != nil, "BackoffFor", "cannot be set together with Backoff")
	a.Backoff.validate(func(bad bool, field, reason string) { refuse(bad, "Backoff."+field, reason) })
	refuse(a.MaxDeliveries < 0, "MaxDeliveries", "is negative")
	refuse(a.MaxSnoozes < 0, "MaxSnoozes", "is negative")
	refuse(a.MaxRunning < NoLimit, "MaxRunning", "is negative and not NoLimit")
	refuse(a.MaxRunningPerJob < NoLimit, "MaxRunningPerJob", "is negative and not NoLimit")
	refuse(a.Rate.Events < NoLimit, "Rate.Events", "is negative and not NoLimit")
	refuse(a.Rate.Events <= 0 && (a.Rate.Per != 0 || a.Rate.Burst != 0), "Rate.Events", "is missing")
	refuse(a.Rate.Events <= 0 && a.Rate.Per < 0, "Rate.Per", "is negative")
	refuse(a.Rate.Events <= 0 && a.Rate.Burst < 0, "Rate.Burst", "is negative")
	if a.Rate.Events > 0 {
		err := store.Rate(a.Rate.complete()).Validate()
		problems = append(problems, store.RenameFields(err, func(field string) string { return prefix + field }))
	}
	problems = append(problems, a.ResultRetention.validate(prefix+"ResultRetention."))
	refuse(isSet(a.Weight) && store.ValidateWeight(a.Weight) != nil, "Weight", "is not within 0.000001 to 1000000")
	refuse(a.Weight != 0 && of == ofKind, "Weight", "is an attribute of sets")
	problems = append(problems, validateScript(prefix+"Script", a.Script, of))
	if _, err := encodeParams(a.Params); err != nil {
		refuse(true, "Params", err.Error())
	}
	return store.JoinFields(problems...)
}

func validateScript(field, script string, of scope) error {
	switch {
	case script == "":
		return nil
	case of == ofKind:
		return &store.FieldError{Field: field, Reason: "is an attribute of sets"}
	case len(script) > MaxScript:
		return &store.FieldError{
			Field:  field,
			Reason: fmt.Sprintf("takes %d bytes, which is more than %d", len(script), MaxScript),
		}
	case !utf8.ValidString(script):
		return &store.FieldError{Field: field, Reason: "is not valid UTF-8"}
	}
	return nil
}
