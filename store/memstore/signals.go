package memstore

import (
	"context"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/rollcall-go/rollcall/internal/guard"
	"github.com/rollcall-go/rollcall/store"
	"github.com/rollcall-go/rollcall/store/signals"
)

// maxPending limits the signals that wait for one slow subscriber. If there are more, one
// SignalSync replaces all.
const maxPending = 1024

// hub sends signals to all subscribers. Sending never blocks.
type hub struct {
	listening atomic.Int64 // number of subscribers, read without the lock: if it is 0, nothing is sent

	mu          sync.Mutex
	subscribers map[*subscriber]struct{}
}

func newHub() *hub { return &hub{subscribers: map[*subscriber]struct{}{}} }

// subscriber is the mailbox of one call of Subscribe. Equal signals that wait are combined.
type subscriber struct {
	wake chan struct{} // has one token while signals are pending

	mu      sync.Mutex
	pending []store.Signal
	known   map[store.Signal]struct{} // the signals in pending
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

func (s *subscriber) post(all []store.Signal) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, sig := range all {
		if _, ok := s.known[sig]; ok {
			continue
		}
		if len(s.pending) == maxPending {
			s.pending = s.pending[:0]
			clear(s.known)
			sig = store.Signal{Type: signals.Sync}
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

// Subscribe calls fn for every signal, one call at a time. When ctx ends, it returns nil. When the
// store is closed, it returns [store.ErrClosed]. Equal signals that arrive while fn runs are
// delivered once. If too many signals wait, one SignalSync replaces them. fn may call the store.
func (s *backend) Subscribe(ctx context.Context, fn func(store.Signal)) error {
	sub := &subscriber{wake: make(chan struct{}, 1), known: map[store.Signal]struct{}{}}
	s.hub.join(sub)
	defer s.hub.leave(sub)
	sub.post([]store.Signal{{Type: signals.Sync}})
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

// SignalsAreComplete implements [store.CompleteSignals]: if a mailbox overflows, one SignalSync
// replaces its signals.
func (s *backend) SignalsAreComplete() bool { return true }

// signal records a signal; it is sent when the call ends. If a call changes the same run several
// times in a row, it is recorded once.
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

// changed records the signal that something of the job changed, apart from what its runs do.
func (p *partition) changed(j *job) { p.signal(store.Signal{Type: signals.Job, Job: j.rec.Name}) }

// turned records that the status of a run changed now, or whether it is paused.
func (p *partition) turned(r *run) {
	r.rec.Changed = p.called.Truncate(time.Millisecond)
	p.recent = nil
	p.moved(r)
}

// moved records the signal that the state or the counts of the run changed.
func (p *partition) moved(r *run) {
	r.rec.Moved = p.called
	p.signal(store.Signal{Type: signals.Run, Run: r.rec.ID.Number})
}
