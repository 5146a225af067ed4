package guard

import (
	"fmt"
	"sync/atomic"
	"time"
)

// Patience is how long a callback may take, unless a [Patient] has another limit.
const Patience = time.Second

// Patient calls functions that should not block. If one takes longer than Limit, the caller goes on
// without it. Until the function returns, further calls are dropped and counted. So a function that
// blocks costs its caller Limit once. The zero value is ready to use.
type Patient struct {
	// Limit defaults to [Patience].
	Limit time.Duration
	// Late is called with the number of dropped calls, after a function that blocked has returned, on
	// that function's goroutine. It may be nil.
	Late func(error)

	behind  atomic.Int64 // calls that were still running when the caller went on
	dropped atomic.Int64
}

// BlockedError is the error for a function that took longer than the limit.
type BlockedError struct{ After time.Duration }

// Error implements error.
func (e *BlockedError) Error() string {
	return fmt.Sprintf("has not returned after %v: until it does, further calls are dropped", e.After)
}

// DroppedError says how many calls a function missed while it blocked. It has returned.
type DroppedError struct{ Calls int64 }

// Error implements error.
func (e *DroppedError) Error() string {
	return fmt.Sprintf("has returned; %d calls were dropped meanwhile", e.Calls)
}

// Blocked reports whether a function still blocks.
func (p *Patient) Blocked() bool { return p.behind.Load() > 0 }

// Apart is like the function [Apart], for a function that should not block. If it blocks, Apart
// returns a [*BlockedError]. A dropped call returns false.
func (p *Patient) Apart(fn func() error) (called bool, err error) {
	if p.Blocked() {
		p.dropped.Add(1)
		return false, nil
	}
	limit := p.Limit
	if limit <= 0 {
		limit = Patience
	}
	ended := make(chan error, 1)
	var over atomic.Bool // it has returned, or the caller went on: the first to set it decides
	go func() {
		err := ErrGoexit
		defer func() {
			ended <- err
			if !over.CompareAndSwap(false, true) {
				p.caughtUp()
			}
		}()
		err = Call(fn, func() {})
	}()
	late := time.NewTimer(limit)
	defer late.Stop()
	select {
	case err = <-ended:
		return true, err
	case <-late.C:
	}
	p.behind.Add(1)
	if over.CompareAndSwap(false, true) {
		return true, &BlockedError{limit}
	}
	p.behind.Add(-1) // it has just returned
	return true, <-ended
}

// caughtUp records that a function that blocked has returned.
func (p *Patient) caughtUp() {
	if p.behind.Add(-1) > 0 {
		return
	}
	if n := p.dropped.Swap(0); n > 0 && p.Late != nil {
		p.Late(&DroppedError{n})
	}
}

// Tell is [Patient.Apart] for a callback without a result. A dropped call is not an error.
func Tell[E any](p *Patient, fn func(E), e E) error {
	_, err := p.Apart(func() error {
		fn(e)
		return nil
	})
	return err
}
