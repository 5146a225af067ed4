package lifecycle

import (
	"context"
	"log/slog"
	"sync"
	"time"
)

// Roster lists what runs for an owner until the owner is closed. Make one with [NewRoster]. Its
// methods may be called concurrently.
type Roster struct {
	Log *slog.Logger // of the members

	closed chan struct{}

	mu      sync.Mutex
	members map[*member]struct{} // nil after Close
}

// member is one thing that runs.
type member struct{ quit, wait func() }

// NewRoster returns an empty roster.
func NewRoster(log *slog.Logger) *Roster {
	return &Roster{Log: log, closed: make(chan struct{}), members: make(map[*member]struct{})}
}

// Enlist adds a member until leave is called. When the roster is closed, quit is called, which must
// not block, and then wait, which returns when the member has ended. Enlist returns false if the
// roster is already closed.
func (r *Roster) Enlist(quit, wait func()) (leave func(), ok bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.members == nil {
		return nil, false
	}
	m := &member{quit, wait}
	r.members[m] = struct{}{}
	return func() {
		r.mu.Lock()
		defer r.mu.Unlock()
		delete(r.members, m)
	}, true
}

// Closed is closed when Close begins.
func (r *Roster) Closed() <-chan struct{} { return r.closed }

// Close makes all members quit, and waits for them. Call it once.
func (r *Roster) Close() {
	close(r.closed)
	r.mu.Lock()
	members := r.members
	r.members = nil
	r.mu.Unlock()
	for m := range members {
		m.quit()
	}
	for m := range members {
		m.wait()
	}
}

type stayKey struct{}

// WithStay returns a context with which a callee can ask for time: how long to wait for it after
// the context has ended.
func WithStay(ctx context.Context, ask func(time.Duration)) context.Context {
	return context.WithValue(ctx, stayKey{}, ask)
}

// Stay asks for this much time after ctx has ended, if ctx was made by WithStay.
func Stay(ctx context.Context, d time.Duration) {
	if ask, ok := ctx.Value(stayKey{}).(func(time.Duration)); ok {
		ask(d)
	}
}
