package handlers

import (
	"math"
	"math/rand/v2"
	"time"
)

// Exponential is a backoff whose delays grow by a factor up to a cap. A zero field has its default.
type Exponential struct {
	First  time.Duration `json:"first,omitempty"`  // before the first retry, or NoDelay. Defaults to 1 s.
	Factor float64       `json:"factor,omitempty"` // from one retry to the next. Defaults to 2.
	Jitter float64       `json:"jitter,omitempty"` // largest deviation, a share of the delay up to 1, or NoJitter. Defaults to 0.2.
	Cap    time.Duration `json:"cap,omitempty"`    // largest delay, before the jitter. Defaults to 10 min.
}

const (
	// NoJitter makes the delays of an [Exponential] exact.
	NoJitter = -1
	// NoDelay as First means that retries do not wait.
	NoDelay time.Duration = -1
)

// complete fills in the defaults.
func (e Exponential) complete() Exponential {
	if e.First == 0 {
		e.First = time.Second
	}
	if e.Factor <= 0 {
		e.Factor = 2
	}
	if e.Jitter == 0 {
		e.Jitter = 0.2
	}
	if e.Cap <= 0 {
		e.Cap = 10 * time.Minute
	}
	return e
}

// validate calls refuse for each field.
func (e Exponential) validate(refuse func(bad bool, field, reason string)) {
	refuse(e.First < NoDelay, "First", "is negative and not NoDelay")
	refuse(!(e.Factor >= 0) || math.Signbit(e.Factor) || math.IsInf(e.Factor, 0), "Factor", "is not a positive number")
	refuse(
		(!(e.Jitter >= 0 && e.Jitter <= 1) || math.Signbit(e.Jitter)) && e.Jitter != NoJitter, "Jitter",
		"is neither within 0 to 1 nor NoJitter",
	)
	refuse(e.Cap < 0, "Cap", "is negative")
}

// Delay returns how long to wait before the given retry, which counts from 1.
func (e Exponential) Delay(retry int) time.Duration {
	e = e.complete()
	if e.First < 0 {
		return 0
	}
	delay := float64(e.First) * math.Pow(e.Factor, float64(max(retry, 1)-1))
	delay = min(delay, float64(e.Cap))
	delay *= 1 + min(max(e.Jitter, 0), 1)*(2*rand.Float64()-1)
	return time.Duration(min(delay, math.MaxInt64/2))
}
