package redisstore

import (
	"context"
	"errors"
	"sync"

	"github.com/rollcall-go/rollcall/internal/guard"
	"github.com/rollcall-go/rollcall/internal/lifecycle"
	"github.com/rollcall-go/rollcall/store"
)

// hub shares one subscription among all callers of Subscribe. It has a connection of its own while
// anybody listens: on the client's shared ones, what is published while a second subscription is
// being made can fill its buffer before the reply to it is read, and stops that connection for
// good.
type hub struct {
	turns sync.Mutex       // one joins or leaves at a time, apart from mu: who stops the group waits for a call of send
	count int              // who listen
	group *lifecycle.Group // receives while count is positive

	mu          sync.Mutex
	subscribers map[*subscriber]struct{}
	live        map[int]bool // partitions whose subscription stands
	syncs       int          // how often one was made
	connection  int          // the number of the connection that is heard
}

// subscriber is one call of Subscribe.
type subscriber struct {
	fn      func(store.Signal)
	failed  chan error // capacity 1: how fn ended, if not by returning
	patient guard.Patient
}

// tell calls the user's function. One that blocks misses signals, and hears of that when it has
// returned, by SignalSync.
func (sub *subscriber) tell(sig store.Signal) {
	var blocked *guard.BlockedError
	if err := guard.Tell(&sub.patient, sub.fn, sig); err != nil && !errors.As(err, &blocked) {
		select {
		case sub.failed <- err:
		default: // the first one counts
		}
	}
}

func newHub() *hub {
	return &hub{subscribers: make(map[*subscriber]struct{}), live: make(map[int]bool)}
}

// join lets the subscriber hear of signals. receive is started for the first one.
func (h *hub) join(life context.Context, sub *subscriber, receive func(ctx context.Context)) {
	h.turns.Lock()
	defer h.turns.Unlock()
	h.mu.Lock()
	h.subscribers[sub] = struct{}{}
	h.syncLocked(sub)
	h.mu.Unlock()
	if h.count++; h.count == 1 {
		h.group = lifecycle.New(life)
		h.group.Go(receive)
	}
}

// syncLocked tells a subscriber that it may have missed signals.
func (h *hub) syncLocked(sub *subscriber) {
	for p := range h.live {
		sub.tell(store.Signal{Type: store.SignalSync, Partition: p})
	}
}

// caughtUp has a subscriber that missed signals hear of it, unless it has left.
func (h *hub) caughtUp(sub *subscriber) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if _, listens := h.subscribers[sub]; listens {
		h.syncLocked(sub)
	}
}

// leave takes back a join. The last one stops what the first one started.
func (h *hub) leave(sub *subscriber) {
	h.turns.Lock()
	defer h.turns.Unlock()
	h.mu.Lock()
	delete(h.subscribers, sub)
	h.mu.Unlock()
	if h.count--; h.count == 0 {
		h.group.Stop(context.Canceled)
	}
}

// listening is the number of the connection that is heard from now on.
func (h *hub) listening() int {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.connection
}

// send passes a signal of a connection on to everybody, one at a time. A connection that was given
// up may still speak: it is not heard, or its late SignalSync would vouch for the next one.
func (h *hub) send(connection int, sig store.Signal) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if connection != h.connection {
		return
	}
	if sig.Type == store.SignalSync {
		h.live[sig.Partition] = true
		h.syncs++
	}
	for sub := range h.subscribers {
		sub.tell(sig)
	}
}

// synced is how often a subscription was made, and 0 while that of the partition is down.
func (h *hub) synced(partition int) int {
	h.mu.Lock()
	defer h.mu.Unlock()
	if !h.live[partition] {
		return 0
	}
	return h.syncs
}

// down gives the connection up: nothing is heard until the next one says SignalSync.
func (h *hub) down() {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.connection++
	clear(h.live)
}
