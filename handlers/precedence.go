package handlers

import (
	"time"

	"github.com/rollcall-go/rollcall/enqueue"
)

// level has the attributes of a set and of one of its kinds from one source: a run, the stored
// configuration, or code.
type level struct{ set, kind Attributes }

// effective computes the attributes of a kind from its levels; the first takes precedence. The rule
// of the package documentation is implemented here, and in the methods of Attempt that read the
// task's own options first.
func effective(levels ...level) Attributes {
	var a Attributes
	for _, l := range levels {
		a = a.inherit(l.kind).limited(l.kind).inherit(l.set)
	}
	return a.inherit(defaults()).limited(defaults()).complete()
}

// effectiveOfSet computes the attributes of a set itself. Its hooks use them.
func effectiveOfSet(levels ...level) Attributes {
	var a Attributes
	for _, l := range levels {
		a = a.inherit(l.set).limited(l.set)
	}
	return a.inherit(defaults()).limited(defaults()).complete()
}

// levels returns the levels of a kind in configurations.
func levels(kind string, configured []Configuration) []level {
	all := make([]level, 0, len(configured)+1)
	for i := range configured {
		all = append(all, level{set: configured[i].Set, kind: configured[i].kind(kind)})
	}
	return all
}

// inherit copies attributes that are not set in a from outer. One level has either the function or
// the value of an attribute. The inner level takes precedence as a whole; if its function returns
// 0, the outer level applies.
func (a Attributes) inherit(outer Attributes) Attributes {
	if a.Queue == "" {
		a.Queue = outer.Queue
	}
	if a.MaxRetries == 0 {
		a.MaxRetries = outer.MaxRetries
		a.MaxRetriesFor = either(a.MaxRetriesFor, outer.MaxRetriesFor)
	}
	if a.Timeout == 0 {
		a.Timeout = outer.Timeout
		a.TimeoutFor = either(a.TimeoutFor, outer.TimeoutFor)
	}
	if a.Backoff == (Exponential{}) {
		a.Backoff = outer.Backoff
		a.BackoffFor = either(a.BackoffFor, outer.BackoffFor)
	}
	if a.MaxDeliveries == 0 {
		a.MaxDeliveries = outer.MaxDeliveries
	}
	if a.MaxSnoozes == 0 {
		a.MaxSnoozes = outer.MaxSnoozes
	}
	if a.ResultRetention == (ResultRetention{}) {
		a.ResultRetention = outer.ResultRetention
	}
	if a.Params == nil {
		a.Params = outer.Params
	}
	if a.Script == "" {
		a.Script = outer.Script
	}
	return a
}

// limited copies limits that are not set in a from outer. A kind does not inherit limits from its
// set.
func (a Attributes) limited(outer Attributes) Attributes {
	if a.MaxRunning == 0 {
		a.MaxRunning = outer.MaxRunning
	}
	if a.MaxRunningPerJob == 0 {
		a.MaxRunningPerJob = outer.MaxRunningPerJob
	}
	if a.Rate == (Rate{}) {
		a.Rate = outer.Rate
	}
	if a.Weight == 0 {
		a.Weight = outer.Weight
	}
	return a
}

// complete fills in the defaults of Backoff and Rate, and encodes Params.
func (a Attributes) complete() Attributes {
	a.Rate = a.Rate.complete()
	if a.Params != nil {
		a.Params, _ = encodeParams(a.Params) // validated before
	}
	return a
}

// either calls the inner function first, and the outer one if the inner returns 0.
func either[T int | time.Duration](inner, outer func(*Attempt) T) func(*Attempt) T {
	if inner == nil || outer == nil {
		if inner == nil {
			return outer
		}
		return inner
	}
	return func(a *Attempt) T {
		if v := inner(a); v != 0 {
			return v
		}
		return outer(a)
	}
}

// defaults are the attributes that apply if no level sets them.
func defaults() Attributes {
	return Attributes{
		Queue:            enqueue.DefaultQueue,
		MaxRetries:       DefaultMaxRetries,
		Timeout:          DefaultTimeout,
		Backoff:          Exponential{}.complete(),
		MaxDeliveries:    defaultMaxDeliveries,
		MaxSnoozes:       defaultMaxSnoozes,
		MaxRunning:       NoLimit,
		MaxRunningPerJob: NoLimit,
		Rate:             Rate{Events: NoLimit},
		Weight:           defaultWeight,
	}
}

// values returns the attributes without the functions, for cases without an attempt.
func (a Attributes) values() Attributes {
	a.MaxRetriesFor, a.TimeoutFor, a.BackoffFor = nil, nil, nil
	return a
}

// timeout returns the timeout of an attempt that is about to start; if not positive, there is none.
func (a *Attempt) timeout() time.Duration {
	if a.overrides.Timeout != 0 {
		return a.overrides.Timeout
	}
	if a.attrs.TimeoutFor != nil {
		if d := a.attrs.TimeoutFor(a); d != 0 {
			return d
		}
	}
	return a.attrs.Timeout
}

// maxRetries returns the number of retries for an attempt that has failed.
func (a *Attempt) maxRetries() int {
	if a.overrides.MaxRetries != 0 {
		return a.overrides.MaxRetries
	}
	if a.attrs.MaxRetriesFor != nil {
		if n := a.attrs.MaxRetriesFor(a); n != 0 {
			return n
		}
	}
	return a.attrs.MaxRetries
}

// backoff returns the delay before the next retry of an attempt that has failed.
func (a *Attempt) backoff() time.Duration {
	if a.attrs.BackoffFor != nil {
		if d := a.attrs.BackoffFor(a); d != 0 {
			return d
		}
	}
	return a.attrs.Backoff.Delay(a.Retry + 1)
}
