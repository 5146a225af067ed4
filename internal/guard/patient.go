package guard

import (
	"fmt"
	"sync/atomic"
	"time"
)

// Patience is how long a function that is told something may take, unless a [Patient] says
// otherwise.
const Patience = time.Second

// Patient calls functions that must not block, and does not depend on it: one that takes longer
// than Limit is left behind, on its goroutine, and until it returns the next calls are dropped and
// counted. So a function that blocks costs its caller Limit once. The zero value is ready.
type Patient struct {
	// Limit defaults to [Patience].
	Limit time.Duration
	// Late is told how many calls were dropped, once the function that was left behind has returned.
	// It is called on the goroutine of that. Nil for nobody.
	Late func(error)

	behind  atomic.Int64 // calls that were left behind
	dropped atomic.Int64
}

// BlockedError is what becomes of a function that was left behind.
type BlockedError struct{ After time.Duration }

// Error implements error.
func (e *BlockedError) Error() string {
	return fmt.Sprintf("has not returned after %v: until it does, further calls are dropped", e.After)
}

// DroppedError says what a function missed that was left behind, and has returned.
type DroppedError struct{ Calls int64 }

// Error implements error.
func (e *DroppedError) Error() string {
	return fmt.Sprintf("has returned; %d calls were dropped meanwhile", e.Calls)
}

// Blocked reports whether a function that was left behind has not returned.
func (p *Patient) Blocked() bool { return p.behind.Load() > 0 }

// Apart is the function [Apart] for a function that must not block: [*BlockedError] for one that
// was left behind. A call that is dropped returns false.
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
	var over atomic.Bool // it has returned, or was left behind: whoever says so first
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

// caughtUp notes that a function has returned that was left behind.
func (p *Patient) caughtUp() {
	if p.behind.Add(-1) > 0 {
		return
	}
	if n := p.dropped.Swap(0); n > 0 && p.Late != nil {
		p.Late(&DroppedError{n})
	}
}

// Tell is [Patient.Apart] for a function that is told something and returns nothing. A call that is
// dropped is no error.
func Tell[E any](p *Patient, fn func(E), e E) error {
	_, err := p.Apart(func() error {
		fn(e)
		return nil
	})
	return err
}
