package intake

import (
	"sync/atomic"
	"time"
)

const (
	// maxPrefetch limits how many tasks a worker fetches ahead.
	maxPrefetch = 1024
	// Horizon limits how much work, in time, a worker fetches ahead. No other worker can run
	// prefetched tasks, and a stop reaches them late.
	Horizon = 20 * time.Millisecond
	// paceWeight is the share of a new sample in the moving averages.
	paceWeight = 0.3
)

// pace estimates how long handlers and fetches take. The worker needs this to prefetch just enough,
// so that no slot waits for a fetch. The counters may be used concurrently; the intake's mutex
// guards everything else.
type pace struct {
	busy  atomic.Int64 // nanoseconds in handlers since the last sample
	tasks atomic.Int64 // handlers that returned since the last sample

	known   bool
	handler float64 // moving average of a handler's time, in nanoseconds
	fetch   float64 // moving average of a fetch's time, in nanoseconds
}

// ran records the time of one handler.
func (p *pace) ran(d time.Duration) {
	p.busy.Add(int64(d))
	p.tasks.Add(1)
}

// sample records one fetch, and the handlers since the last one.
func (p *pace) sample(fetch time.Duration) {
	p.fetch = average(p.fetch, float64(fetch), p.fetch > 0)
	if n := p.tasks.Swap(0); n > 0 {
		p.handler = average(p.handler, float64(p.busy.Swap(0))/float64(n), p.known)
		p.known = true
	}
}

// slow corrects the estimate when no handler has returned for a while.
func (p *pace) slow(d time.Duration) {
	p.handler, p.known = max(p.handler, float64(d)), true
}

// prefetch returns how many tasks to fetch ahead: as many as the slots run during a few fetches. It
// is 0 before the first handler has returned, and for long tasks.
func (p *pace) prefetch(concurrency int) int {
	if !p.known {
		return 0
	}
	ahead := min(4*p.fetch, float64(Horizon))
	if p.handler <= 0 {
		return maxPrefetch
	}
	return int(min(float64(concurrency)*ahead/p.handler, maxPrefetch))
}

func average(old, sample float64, known bool) float64 {
	if !known {
		return sample
	}
	return old + paceWeight*(sample-old)
}
