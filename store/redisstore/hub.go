package redisstore

import (
	"context"
	"errors"
	"sync"

	"github.com/rollcall-go/rollcall/internal/guard"
	"github.com/rollcall-go/rollcall/internal/lifecycle"
	"github.com/rollcall-go/rollcall/store"
	"github.com/rollcall-go/rollcall/store/signals"
)

// hub shares one subscription among all callers of Subscribe. While there are subscribers, it has
// its own connection. The client's shared connections are not safe for this: messages that arrive
// while a second subscription is made can fill a buffer before the reply is read, and then the
// connection hangs for good.
type hub struct {
	turns sync.Mutex       // held to join or leave; not mu, because stopping the group waits for a call of send
	count int              // the subscribers
	group *lifecycle.Group // the group receives while there are subscribers

	mu          sync.Mutex
	subscribers map[*subscriber]struct{}
	live        map[int]bool // partitions with a working subscription
	syncs       int          // how often a subscription was made
	connection  int          // the number of the current connection
}

// subscriber is one call of Subscribe.
type subscriber struct {
	fn      func(store.Signal)
	failed  chan error // capacity 1: why fn ended, if it did not return
	patient guard.Patient
}

// tell calls the user's function. If the function blocks, it misses signals; after it has returned,
// it gets SignalSync.
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

// join adds a subscriber. The first one starts receive.
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
		sub.tell(store.Signal{Type: signals.Sync, Partition: p})
	}
}

// caughtUp sends SignalSync to a subscriber that missed signals, unless it has left.
func (h *hub) caughtUp(sub *subscriber) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if _, listens := h.subscribers[sub]; listens {
		h.syncLocked(sub)
	}
}

// leave removes a subscriber. The last one stops receive.
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

// listening makes the connection with this number the current one.
func (h *hub) listening() int {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.connection
}

// send passes a signal of a connection to all subscribers, one signal at a time. It ignores signals
// of a connection that was given up: otherwise its late SignalSync would count for the next
// connection.
func (h *hub) send(connection int, sig store.Signal) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if connection != h.connection {
		return
	}
	if sig.Type == signals.Sync {
		h.live[sig.Partition] = true
		h.syncs++
	}
	for sub := range h.subscribers {
		sub.tell(sig)
	}
}

// synced returns how often a subscription was made; 0 while that of the partition is down.
func (h *hub) synced(partition int) int {
	h.mu.Lock()
	defer h.mu.Unlock()
	if !h.live[partition] {
		return 0
	}
	return h.syncs
}

// down gives the connection up: no signals arrive until the next one sends SignalSync.
func (h *hub) down() {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.connection++
	clear(h.live)
}
