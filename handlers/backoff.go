package handlers

import (
	"math"
	"math/rand/v2"
	"time"
)

// Exponential is a backoff whose delays grow by a factor up to a cap. Its Delay method is
// a value for Attributes.Backoff. Fields that are not positive have their default.
type Exponential struct {
	First  time.Duration // before the first retry. Defaults to 1 s.
	Factor float64       // from one retry to the next. Defaults to 2.
	Jitter float64       // greatest random deviation, as a share of the delay, up to 1. Defaults to 0.2; NoJitter for none.
	Cap    time.Duration // greatest delay, before the jitter. Defaults to 10 min.
}

// NoJitter makes the delays of an [Exponential] exact.
const NoJitter = -1

// Delay returns how long to wait before the given retry, which counts from 1.
func (e Exponential) Delay(retry int) time.Duration {
	first, factor, jitter, limit := e.First, e.Factor, e.Jitter, e.Cap
	if first <= 0 {
		first = time.Second
	}
	if factor <= 0 {
		factor = 2
	}
	switch {
	case jitter < 0:
		jitter = 0
	case jitter == 0:
		jitter = 0.2
	}
	if limit <= 0 {
		limit = 10 * time.Minute
	}
	delay := float64(first) * math.Pow(factor, float64(max(retry, 1)-1))
	delay = min(delay, float64(limit))
	delay *= 1 + min(jitter, 1)*(2*rand.Float64()-1)
	return time.Duration(min(delay, math.MaxInt64/2))
}
