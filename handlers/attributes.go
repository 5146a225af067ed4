package handlers

import (
	"errors"
	"time"

	"github.com/rollcall-go/rollcall/enqueue"
	"github.com/rollcall-go/rollcall/store"
)

// Named values that switch off what zero would inherit.
const (
	NoRetries = enqueue.NoRetries
	NoTimeout = enqueue.NoTimeout
)

// The defaults of [Attributes].
const (
	DefaultMaxRetries    = 3
	DefaultTimeout       = time.Hour
	DefaultMaxDeliveries = 3
	DefaultMaxSnoozes    = 1000
)

// Attributes say how tasks are run. A zero field inherits: a task's own options
// come before the attributes of its kind, those before the attributes of the
// set, and those before the defaults. Hooks use the values of their set, not the
// functions.
type Attributes struct {
	// Queue that tasks wait in. Defaults to [enqueue.DefaultQueue].
	Queue string
	// MaxRetries is how often a failed task is tried again, so that 3 makes 4 attempts; or
	// [NoRetries]. Defaults to 3.
	MaxRetries int
	// MaxRetriesFor decides it for the attempt that has just failed; 0 inherits. It
	// excludes MaxRetries.
	MaxRetriesFor func(*Attempt) int
	// Timeout of one attempt, after which the handler's context is cancelled; or
	// [NoTimeout]. Defaults to 1 hour.
	Timeout time.Duration
	// TimeoutFor decides it for an attempt that is about to start; 0 inherits. It
	// excludes Timeout.
	TimeoutFor func(*Attempt) time.Duration
	// Backoff is the delay before the given retry, which counts from 1. A negative one is
	// 0. Defaults to that of the zero [Exponential].
	Backoff func(retry int) time.Duration
	// MaxDeliveries is after how many workers have died with this task as their one
	// suspect it is failed without being run again. Defaults to 3.
	MaxDeliveries int
	// MaxSnoozes is how often one task may be snoozed. Defaults to 1000.
	MaxSnoozes int
}

// validate reports every problem; the names of the fields follow prefix.
func (a *Attributes) validate(prefix string) error {
	var problems []error
	refuse := func(field, reason string) {
		problems = append(problems, &store.FieldError{Field: prefix + field, Reason: reason})
	}
	if a.Queue != "" {
		problems = append(problems, store.ValidateName(prefix+"Queue", a.Queue))
	}
	if a.MaxRetries < NoRetries {
		refuse("MaxRetries", "is negative and not NoRetries")
	}
	if a.MaxRetries != 0 && a.MaxRetriesFor != nil {
		refuse("MaxRetriesFor", "excludes MaxRetries")
	}
	if a.Timeout < NoTimeout {
		refuse("Timeout", "is negative and not NoTimeout")
	}
	if a.Timeout != 0 && a.TimeoutFor != nil {
		refuse("TimeoutFor", "excludes Timeout")
	}
	if a.MaxDeliveries < 0 {
		refuse("MaxDeliveries", "is negative")
	}
	if a.MaxSnoozes < 0 {
		refuse("MaxSnoozes", "is negative")
	}
	return errors.Join(problems...)
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
	if a.Backoff == nil {
		a.Backoff = outer.Backoff
	}
	if a.MaxDeliveries == 0 {
		a.MaxDeliveries = outer.MaxDeliveries
	}
	if a.MaxSnoozes == 0 {
		a.MaxSnoozes = outer.MaxSnoozes
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
		Queue:         enqueue.DefaultQueue,
		MaxRetries:    DefaultMaxRetries,
		Timeout:       DefaultTimeout,
		Backoff:       Exponential{}.Delay,
		MaxDeliveries: DefaultMaxDeliveries,
		MaxSnoozes:    DefaultMaxSnoozes,
	}
}
