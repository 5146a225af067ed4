package worker

import (
	"context"
	"sync"
	"sync/atomic"
	"time"

	"github.com/rollcall-go/rollcall/internal/lifecycle"
	"github.com/rollcall-go/rollcall/store"
)

// pauses is what a worker knows to be paused in a partition. It reads that after a signal, and when
// a fetch or a heartbeat reports another version. The worker then gives back the tasks of paused
// scopes that it has fetched and not begun: those in the backlog at once, others when a slot would
// begin them. Versions are only compared for equality, because a server that lost writes can report
// an earlier one.
type pauses struct {
	read       func(ctx context.Context) (store.PauseSet, error)
	giveBack   func() // gives back what covers reports
	inReadOnly []string
	bound      time.Duration // of one read

	known   atomic.Pointer[store.PauseSet]
	moved   chan struct{} // capacity 1: read again
	reading sync.Mutex    // so that the result of the last read stands
}

// covers reports whether tasks of the route must not begin.
func (k *pauses) covers(r store.Route) bool { return len(k.known.Load().Covering(r, k.inReadOnly)) > 0 }

func (k *pauses) refresh(ctx context.Context) error {
	k.reading.Lock()
	defer k.reading.Unlock()
	ctx, cancel := context.WithTimeout(ctx, k.bound)
	defer cancel()
	set, err := k.read(ctx)
	if err != nil {
		return err
	}
	k.known.Store(&set)
	k.giveBack()
	return nil
}

// heed reads what is paused if the store has another version. If that fails, the watching loop
// repeats it, and until then the worker keeps what it knew.
func (k *pauses) heed(ctx context.Context, version int64) {
	if k.known.Load().Version != version && k.refresh(ctx) != nil {
		lifecycle.Wake(k.moved)
	}
}

// watch reads what is paused whenever that may have changed. failed is called with each error.
func (k *pauses) watch(ctx context.Context, failed func(error)) {
	for {
		select {
		case <-ctx.Done():
			return
		case <-k.moved:
		}
		if err := k.refresh(ctx); err != nil && ctx.Err() == nil {
			failed(err)
			lifecycle.Pause(ctx, lifecycle.Jitter(retryWait))
			lifecycle.Wake(k.moved)
		}
	}
}
