package handlers

import (
	"time"

	"github.com/rollcall-go/rollcall/enqueue"
)

// level is what one authority says of a set and of one of its kinds: a run, the stored
// configuration, or code.
type level struct{ set, kind Attributes }

// effective resolves the attributes of a kind from its levels, the strongest first. It and the
// methods of Attempt that ask the task first are all there is of the rule that the package
// documentation states.
func effective(levels ...level) Attributes {
	var a Attributes
	for _, l := range levels {
		a = a.inherit(l.kind).limited(l.kind).inherit(l.set)
	}
	return a.inherit(defaults()).limited(defaults()).complete()
}

// effectiveOfSet resolves the attributes of a set itself, which are those of its hooks.
func effectiveOfSet(levels ...level) Attributes {
	var a Attributes
	for _, l := range levels {
		a = a.inherit(l.set).limited(l.set)
	}
	return a.inherit(defaults()).limited(defaults()).complete()
}

// levels are what configurations say of a kind.
func levels(kind string, configured []Configuration) []level {
	all := make([]level, 0, len(configured)+1)
	for i := range configured {
		all = append(all, level{set: configured[i].Set, kind: configured[i].kind(kind)})
	}
	return all
}

// inherit fills what a leaves open from outer. A function and a value of the same attribute
// exclude each other on one level, and the inner level wins as a whole unless its
// function declines by returning 0.
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
	if a.Params == nil {
		a.Params = outer.Params
	}
	return a
}

// limited fills what a leaves open of the attributes that a kind does not inherit from its set.
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

// complete brings what has defaults of its own, or another form, to the form of effective
// attributes.
func (a Attributes) complete() Attributes {
	a.Rate = a.Rate.complete()
	if a.Params != nil {
		a.Params, _ = encodeParams(a.Params) // validated before
	}
	return a
}

// either asks the inner function first, and the outer one where that declines.
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

// defaults are the attributes that everything inherits in the end.
func defaults() Attributes {
	return Attributes{
		Queue:            enqueue.DefaultQueue,
		MaxRetries:       DefaultMaxRetries,
		Timeout:          DefaultTimeout,
		Backoff:          Exponential{}.complete(),
		MaxDeliveries:    DefaultMaxDeliveries,
		MaxSnoozes:       DefaultMaxSnoozes,
		MaxRunning:       NoLimit,
		MaxRunningPerJob: NoLimit,
		Rate:             Rate{Events: NoLimit},
		Weight:           DefaultWeight,
	}
}

// values are the attributes without the functions: for what has no attempt to ask them about.
func (a Attributes) values() Attributes {
	a.MaxRetriesFor, a.TimeoutFor, a.BackoffFor = nil, nil, nil
	return a
}

// timeout of an attempt that is about to start; none if it is not positive.
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

// maxRetries of an attempt that has failed.
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

// backoff is the delay before the next retry of an attempt that has failed.
func (a *Attempt) backoff() time.Duration {
	if a.attrs.BackoffFor != nil {
		if d := a.attrs.BackoffFor(a); d != 0 {
			return d
		}
	}
	return a.attrs.Backoff.Delay(a.Retry + 1)
}
