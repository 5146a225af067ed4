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
	cancel    context.CancelCauseFunc   // cancels ctx
	followers []context.CancelCauseFunc // stop functions of contexts that end with it

	mu       sync.Mutex
	deadline time.Time   // by the store's clock
	until    time.Time   // by the local clock; before deadline
	timer    *time.Timer // ends ctx at until; nil after the lease was given back
}

// margin is how long before the end of a lease its context ends. It is needed because timers fire
// late, by up to 8 ms on a busy machine, because code that waits for the context needs time to
// react, and because the store counts in whole milliseconds.
func margin(ttl time.Duration) time.Duration { return min(ttl/10, 100*time.Millisecond) }

// newLease makes a Lease. The claim was sent after the time before.
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

// end ends the lease's context and the contexts that follow it. When it returns, all of them have
// ended. So code that knows of the loss never sees a context that is still alive.
func (l *Lease) end(cause error) {
	l.ending.Lock()
	defer l.ending.Unlock()
	l.cancel(cause)
	for _, cancel := range l.followers {
		cancel(context.Cause(l.ctx))
	}
	l.followers = nil
}

// follow makes another context end with the lease's context, with the same cause.
func (l *Lease) follow(cancel context.CancelCauseFunc) {
	l.ending.Lock()
	defer l.ending.Unlock()
	if l.ctx.Err() != nil {
		cancel(context.Cause(l.ctx))
		return
	}
	l.followers = append(l.followers, cancel)
}

// alive reports whether the lease is still valid. In a process that was paused, its context may not
// have ended yet.
func (l *Lease) alive() bool {
	l.mu.Lock()
	late := !time.Now().Before(l.until)
	l.mu.Unlock()
	if late {
		l.lose()
	}
	return l.ctx.Err() == nil
}

// Context returns a context that ends with the lease. Its cause is [store.ErrLeaseLost] if the
// lease was lost, or if its time is about to pass without a refresh. It is [context.Canceled] if
// Release was called. The context ends earlier than the lease does by the store's clock: by a tenth
// of the TTL, or by 100 ms if that is less, counted from before the lease was asked for. A process
// that is paused for longer than that sees the end too late. The context has the values of the
// context that acquired the lease, but does not end with it.
func (l *Lease) Context() context.Context { return l.ctx }

// Deadline returns when the lease ends, by the store's clock, unless it is refreshed.
func (l *Lease) Deadline() time.Time {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.deadline
}

// Refresh extends the lease: it then lasts for a TTL from now on. If the lease is lost, it returns
// [store.ErrLeaseLost]; Context has then ended, and the lease cannot come back. After any other
// error, for example if the store does not answer or ctx has ended, the lease is held until its
// deadline.
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

// extend records a refresh. It returns false if the lease was lost or given back meanwhile.
func (l *Lease) extend(deadline, before time.Time) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.timer == nil || l.ctx.Err() != nil || !l.timer.Stop() {
		return false
	}
	if until := before.Add(l.ttl - margin(l.ttl)); until.After(l.until) { // of two concurrent refreshes, the later one counts
		l.until, l.deadline = until, deadline
	}
	l.timer.Reset(time.Until(l.until))
	return true
}

// Release ends Context, and then the lease. It returns [store.ErrLeaseLost] if Context had ended
// with that cause before, or if the lease was no longer held; the lease of another holder is not
// changed. After another error you may call it again; otherwise the lease lasts until its time has
// passed.
func (l *Lease) Release(ctx context.Context) error {
	l.giveUp()
	err := l.store.ReleaseSemaphore(ctx, l.Key, l.Token)
	if err == nil && errors.Is(context.Cause(l.ctx), store.ErrLeaseLost) {
		err = store.ErrLeaseLost // a repeated release succeeds, whether the first try arrived or not
	}
	if err != nil {
		return fmt.Errorf("release the lease of %q: %w", l.Key, err)
	}
	return nil
}

// giveUp ends Context. The cause says whether the lease was lost or released.
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

// keep refreshes the lease after each third of its time, until ctx or the lease ends. It reports to
// the two functions; both may be nil.
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
			failed(err) // the end of ctx is not reported, unless the lease was lost
		}
	}
}

// bind returns a context that ends with ctx, and also with another context, with the same cause.
// The function releases it.
func bind(ctx, other context.Context) (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithCancelCause(ctx)
	if other.Err() != nil { // AfterFunc would end it a little later
		cancel(context.Cause(other))
	}
	stop := context.AfterFunc(other, func() { cancel(context.Cause(other)) })
	return ctx, func() {
		stop()
		cancel(context.Canceled)
	}
}
