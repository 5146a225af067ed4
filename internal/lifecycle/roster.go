package lifecycle

import (
	"context"
	"log/slog"
	"sync"
	"time"
)

// Roster is who runs for somebody until that is closed. Make one with [NewRoster]. Its methods may
// be called concurrently.
type Roster struct {
	Log *slog.Logger // of those who run

	closed chan struct{}

	mu      sync.Mutex
	members map[*member]struct{} // nil once closed
}

// member is what runs.
type member struct{ quit, wait func() }

// NewRoster returns an empty roster.
func NewRoster(log *slog.Logger) *Roster {
	return &Roster{Log: log, closed: make(chan struct{}), members: make(map[*member]struct{})}
}

// Enlist notes that something runs, until leave is called. When the roster is closed, quit is
// called, which does not block, and then wait, which returns when it has ended. It reports false if
// the roster is closed already.
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

// Close has all that runs quit, and waits for it. It is called once.
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

// WithStay returns a context by which what is called with it can ask for time: how long after the
// end of the context it is to be waited for.
func WithStay(ctx context.Context, ask func(time.Duration)) context.Context {
	return context.WithValue(ctx, stayKey{}, ask)
}

// Stay asks whoever waits for the caller to wait so long after ctx has ended, if anybody does.
func Stay(ctx context.Context, d time.Duration) {
	if ask, ok := ctx.Value(stayKey{}).(func(time.Duration)); ok {
		ask(d)
	}
}
