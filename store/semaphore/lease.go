package semaphore

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/rollcall-go/rollcall/store"
)

// Lease is a held place of a semaphore. Its methods may be called concurrently.
type Lease struct {
	Key   string
	Slot  int    // 0 to Max-1
	Fence int64  // higher than that of every lease of the key before
	Token string // proves the lease; keep it secret

	store store.Store
	ttl   time.Duration
	ctx   context.Context

	ending    sync.Mutex
	cancel    context.CancelCauseFunc   // of ctx
	followers []context.CancelCauseFunc // of contexts that end with it

	mu       sync.Mutex
	deadline time.Time   // by the store's clock
	until    time.Time   // by ours; before deadline
	timer    *time.Timer // ends ctx at until; nil once the lease was given back
}

// margin is how long before the end of a lease its context ends. Timers fire late, by up to 8 ms on
// a busy machine, and whoever waits for the context has to hear of it; the store counts in whole
// milliseconds.
func margin(ttl time.Duration) time.Duration { return min(ttl/10, 100*time.Millisecond) }

// newLease watches over a lease that was asked for at a time before it was granted.
func newLease(
	ctx context.Context, s store.Store, c store.SemaphoreClaim, h store.SemaphoreHolder, before time.Time,
) *Lease {
	l := &Lease{
		Key: c.Key, Slot: h.Slot, Fence: h.Fence, Token: c.Token,
		store: s, ttl: c.TTL, deadline: h.Expires, until: before.Add(c.TTL - margin(c.TTL)),
	}
	l.ctx, l.cancel = context.WithCancelCause(context.WithoutCancel(ctx))
	l.timer = time.AfterFunc(time.Until(l.until), l.lose)
	return l
}

func (l *Lease) lose() { l.end(store.ErrLeaseLost) }

// end ends the lease's context and those that follow it. When it returns none of them is alive, so
// that nobody finds one who was told of the loss.
func (l *Lease) end(cause error) {
	l.ending.Lock()
	defer l.ending.Unlock()
	l.cancel(cause)
	for _, cancel := range l.followers {
		cancel(context.Cause(l.ctx))
	}
	l.followers = nil
}

// follow has another context end with the lease's, with its cause.
func (l *Lease) follow(cancel context.CancelCauseFunc) {
	l.ending.Lock()
	defer l.ending.Unlock()
	if l.ctx.Err() != nil {
		cancel(context.Cause(l.ctx))
		return
	}
	l.followers = append(l.followers, cancel)
}

// alive reports whether the lease can still be relied on. In a process that stood still its context
// may not have ended yet.
func (l *Lease) alive() bool {
	l.mu.Lock()
	late := !time.Now().Before(l.until)
	l.mu.Unlock()
	if late {
		l.lose()
	}
	return l.ctx.Err() == nil
}

// Context ends with cause [store.ErrLeaseLost] when the lease was found lost or its time is about
// to pass without a refresh, and with [context.Canceled] when Release is called. It ends before the
// lease does by the store's clock: a tenth of the TTL before, or 100 ms if that is less, counted
// from before the lease was asked for. A process that is stopped, or has no processor for longer
// than that, learns of it late. It has the values of the context that the lease was acquired with,
// and not its end.
func (l *Lease) Context() context.Context { return l.ctx }

// Deadline is when the lease ends by the store's clock, unless it is refreshed.
func (l *Lease) Deadline() time.Time {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.deadline
}

// Refresh lets the lease last for another TTL from now on. [store.ErrLeaseLost] when it is lost:
// Context has ended then, and that is final. After any other error, such as a store that does not
// answer or the end of ctx, the lease is held until its deadline.
func (l *Lease) Refresh(ctx context.Context) error {
	before := time.Now()
	bounded, done := bind(ctx, l.ctx)
	defer done()
	deadline, err := l.store.RefreshSemaphore(bounded, l.Key, l.Token, l.ttl)
	if errors.Is(err, store.ErrLeaseLost) && ctx.Err() == nil { // not the cause of ctx, of another lease
		l.lose()
	}
	if err == nil && !l.extend(deadline, before) {
		l.lose()
		err = store.ErrLeaseLost // its time passed while the answer was on its way
	}
	if err != nil {
		return fmt.Errorf("refresh the lease of %q: %w", l.Key, err)
	}
	return nil
}

// extend notes a refresh, and reports false if the lease was lost or given back meanwhile.
func (l *Lease) extend(deadline, before time.Time) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.timer == nil || l.ctx.Err() != nil || !l.timer.Stop() {
		return false
	}
	if until := before.Add(l.ttl - margin(l.ttl)); until.After(l.until) { // of two at a time, the later one counts
		l.until, l.deadline = until, deadline
	}
	l.timer.Reset(time.Until(l.until))
	return true
}

// Release ends the lease and Context, first of all Context. [store.ErrLeaseLost] when Context had
// ended with that before, or the lease was not held any more: nobody else's lease is touched. After
// another error it may be called again, or the lease ends with its time.
func (l *Lease) Release(ctx context.Context) error {
	l.giveUp()
	err := l.store.ReleaseSemaphore(ctx, l.Key, l.Token)
	if err == nil && errors.Is(context.Cause(l.ctx), store.ErrLeaseLost) {
		err = store.ErrLeaseLost // a release that had to be repeated is answered with success, whether or not the first try arrived
	}
	if err != nil {
		return fmt.Errorf("release the lease of %q: %w", l.Key, err)
	}
	return nil
}

// giveUp ends Context, with what has become of the lease by now as its cause.
func (l *Lease) giveUp() {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.timer != nil {
		l.timer.Stop()
		l.timer = nil
		if !time.Now().Before(l.until) {
			l.lose()
		}
	}
	l.end(context.Canceled)
}

// keep refreshes the lease at a third of its time until ctx or the lease ends. It tells
// what it did; both functions may be nil.
func (l *Lease) keep(ctx context.Context, beat func(deadline time.Time), failed func(error)) {
	ticker := time.NewTicker(max(l.ttl/3, time.Millisecond))
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-l.ctx.Done():
			return
		case <-ticker.C:
		}
		switch err := l.Refresh(ctx); {
		case err == nil && beat != nil:
			beat(l.Deadline())
		case err != nil && failed != nil && (ctx.Err() == nil || errors.Is(context.Cause(l.ctx), store.ErrLeaseLost)):
			failed(err) // not that ctx has ended, unless since the lease was found lost
		}
	}
}

// bind returns ctx, ended by the end of another one, too, with its cause. The function releases it.
func bind(ctx, other context.Context) (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithCancelCause(ctx)
	if other.Err() != nil { // AfterFunc would end it a moment later
		cancel(context.Cause(other))
	}
	stop := context.AfterFunc(other, func() { cancel(context.Cause(other)) })
	return ctx, func() {
		stop()
		cancel(context.Canceled)
	}
}
