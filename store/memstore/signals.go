package memstore

import (
	"context"
	"slices"
	"sync"
	"sync/atomic"

	"github.com/rollcall-go/rollcall/internal/guard"
	"github.com/rollcall-go/rollcall/store"
)

// maxPending bounds what waits for one slow subscriber. Beyond it, one
// SignalSync stands for all.
const maxPending = 1024

// hub fans signals out to subscribers. Sending never blocks.
type hub struct {
	listening atomic.Int64 // subscribers, read without the lock by who has nothing to say otherwise

	mu          sync.Mutex
	subscribers map[*subscriber]struct{}
}

func newHub() *hub { return &hub{subscribers: map[*subscriber]struct{}{}} }

// subscriber is the mailbox of one call of Subscribe. Equal signals that wait
// together are one.
type subscriber struct {
	wake chan struct{} // holds one token while something is pending

	mu      sync.Mutex
	pending []store.Signal
	known   map[store.Signal]struct{} // those in pending
}

func (h *hub) join(s *subscriber) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.subscribers[s] = struct{}{}
	h.listening.Add(1)
}

func (h *hub) leave(s *subscriber) {
	h.mu.Lock()
	defer h.mu.Unlock()
	delete(h.subscribers, s)
	h.listening.Add(-1)
}

func (h *hub) send(signals []store.Signal) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for s := range h.subscribers {
		s.post(signals)
	}
}

func (s *subscriber) post(signals []store.Signal) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, sig := range signals {
		if _, ok := s.known[sig]; ok {
			continue
		}
		if len(s.pending) == maxPending {
			s.pending = s.pending[:0]
			clear(s.known)
			sig = store.Signal{Type: store.SignalSync}
		}
		s.pending = append(s.pending, sig)
		s.known[sig] = struct{}{}
	}
	select {
	case s.wake <- struct{}{}:
	default: // it is awake already
	}
}

func (s *subscriber) take() []store.Signal {
	s.mu.Lock()
	defer s.mu.Unlock()
	taken := slices.Clone(s.pending)
	s.pending = s.pending[:0]
	clear(s.known)
	return taken
}

// Subscribe calls fn, one call at a time, for every signal until ctx ends,
// then returns nil; when the store is closed it returns [store.ErrClosed].
// Equal signals that gather while fn runs are delivered once, and a subscriber
// that falls far behind gets one SignalSync instead. fn may call the store.
func (s *backend) Subscribe(ctx context.Context, fn func(store.Signal)) error {
	sub := &subscriber{wake: make(chan struct{}, 1), known: map[store.Signal]struct{}{}}
	s.hub.join(sub)
	defer s.hub.leave(sub)
	sub.post([]store.Signal{{Type: store.SignalSync}})
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-s.closed:
			return store.ErrClosed
		case <-sub.wake:
		}
		for _, sig := range sub.take() {
			if ctx.Err() != nil {
				return nil
			}
			err := guard.Until(ctx, func() error {
				fn(sig)
				return nil
			})
			if err != nil && ctx.Err() == nil {
				return err
			}
		}
	}
}

// SignalsAreComplete implements [store.CompleteSignals]: a mailbox that overflows is replaced by
// one SignalSync.
func (s *backend) SignalsAreComplete() bool { return true }

// signal notes a signal for when the call is over. A call that moves the same
// run many times in a row notes it once.
func (p *partition) signal(sig store.Signal) {
	if p.hub.listening.Load() == 0 {
		return
	}
	sig.Partition = p.index
	if n := len(p.outbox); n > 0 && p.outbox[n-1] == sig {
		return
	}
	p.outbox = append(p.outbox, sig)
}

// moved signals that the state or the counts of the run changed.
func (p *partition) moved(r *run) {
	p.signal(store.Signal{Type: store.SignalRun, Run: r.rec.ID.Number})
}
