package redisstore

import (
	"context"
	"errors"
	"log/slog"
	"strings"
	"sync"
	"time"

	"github.com/redis/rueidis"
	"github.com/sethvargo/go-retry"

	"github.com/rollcall-go/rollcall/internal/guard"
	"github.com/rollcall-go/rollcall/internal/lifecycle"
	"github.com/rollcall-go/rollcall/store"
	"github.com/rollcall-go/rollcall/store/redisstore/internal/format"
	"github.com/rollcall-go/rollcall/store/redisstore/internal/prompt"
)

// hub shares one subscription among all callers of Subscribe. It has a connection of its own
// while anybody listens: on the client's shared ones, what is published while a second subscription is
// being made can fill its buffer before the reply to it is read, and stops that connection for good.
type hub struct {
	turns sync.Mutex       // one joins or leaves at a time, apart from mu: who stops the group waits for a call of send
	count int              // who listen
	group *lifecycle.Group // receives while count is positive

	mu          sync.Mutex
	subscribers map[*subscriber]struct{}
	live        map[int]bool // partitions whose subscription stands
	syncs       int          // how often one was made
}

// subscriber is one call of Subscribe.
type subscriber struct {
	fn      func(store.Signal)
	failed  chan error // capacity 1: how fn ended, if not by returning
	patient guard.Patient
}

// tell calls the user's function. One that blocks misses signals, and hears of that when it has returned, by SignalSync.
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

// send passes a signal on to everybody, one at a time.
func (h *hub) send(sig store.Signal) {
	h.mu.Lock()
	defer h.mu.Unlock()
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

// down notes that nothing is heard until the next SignalSync.
func (h *hub) down() {
	h.mu.Lock()
	defer h.mu.Unlock()
	clear(h.live)
}

// Subscribe implements [store.Signals] with one pub/sub connection for all calls. What is
// published while it is down is lost, so every subscription begins with SignalSync.
func (s *Store) Subscribe(ctx context.Context, fn func(store.Signal)) error {
	if err := s.server.Begin(ctx); err != nil {
		if ctx.Err() != nil {
			return nil
		}
		return err
	}
	sub := &subscriber{fn: fn, failed: make(chan error, 1)}
	sub.patient.Late = func(error) { s.hub.caughtUp(sub) }
	s.hub.join(s.life, sub, s.receive)
	defer s.hub.leave(sub)
	select {
	case <-ctx.Done():
		return nil
	case <-s.life.Done():
		return store.ErrClosed
	case err := <-sub.failed:
		return err
	}
}

// receive passes signals on to the hub until ctx ends, over as many connections as it takes.
func (s *Store) receive(ctx context.Context) {
	for wait := resubscribeBackoff(); ctx.Err() == nil; {
		started := time.Now()
		err, _ := prompt.Await(ctx, s.client, func() error { return s.receiveOnce(ctx) })
		s.hub.down()
		if ctx.Err() != nil {
			return
		}
		if time.Since(started) > 10*time.Second {
			wait = resubscribeBackoff() // it had worked for a while
		}
		d, _ := wait.Next()
		s.config.Logger.LogAttrs(ctx, slog.LevelDebug, "subscription lost", slog.Any("error", err), slog.Duration("again_in", d))
		select {
		case <-ctx.Done():
		case <-time.After(d):
		}
	}
}

// receiveOnce subscribes on a connection of its own, and returns when that breaks or ctx ends.
func (s *Store) receiveOnce(ctx context.Context) error {
	partitions := make(map[string]int, len(s.spaces))
	channels := make([]string, 0, len(s.spaces))
	for _, k := range s.spaces {
		partitions[k.Channel] = k.Partition
		channels = append(channels, k.Channel)
	}
	conn, release := s.client.Dedicate()
	defer release()
	defer conn.Close() // rather than unsubscribe, which would wait for a server that does not answer
	broken := conn.SetPubSubHooks(rueidis.PubSubHooks{
		OnSubscription: func(sub rueidis.PubSubSubscription) {
			if p, ok := partitions[sub.Channel]; ok && sub.Kind == "subscribe" {
				s.hub.send(store.Signal{Type: store.SignalSync, Partition: p})
			}
		},
		OnMessage: func(m rueidis.PubSubMessage) {
			for line := range strings.SplitSeq(m.Message, "\n") {
				if signal, ok := parseSignal(line); ok {
					signal.Partition = partitions[m.Channel]
					if route, ok := strings.CutPrefix(line, "w:"); ok {
						s.noteWork(signal.Partition, route)
					}
					s.hub.send(signal)
				}
			}
		},
	})
	if err := conn.Do(ctx, conn.B().Subscribe().Channel(channels...).Build()).Error(); err != nil {
		return err
	}
	select {
	case <-ctx.Done():
		return ctx.Err()
	case err := <-broken:
		return err
	}
}

func resubscribeBackoff() retry.Backoff {
	return retry.WithCappedDuration(time.Second, retry.WithJitterPercent(20, retry.NewExponential(20*time.Millisecond)))
}

// parseSignal reads a line of what the scripts publish: "w:ROUTE", "r:RUN", "p:RUN", "d", "m", "l:HOLDER:LIMIT" or "s:PLACE:SEMAPHORE".
func parseSignal(message string) (store.Signal, bool) {
	kind, rest, _ := strings.Cut(message, ":")
	switch kind {
	case "w":
		queue, _, _ := strings.Cut(rest, "/")
		return store.Signal{Type: store.SignalWork, Queue: queue}, true
	case "r":
		n, err := format.ParseInt(rest)
		return store.Signal{Type: store.SignalRun, Run: n}, err == nil
	case "p":
		n, err := format.ParseInt(rest)
		return store.Signal{Type: store.SignalProgress, Run: n}, err == nil
	case "d":
		return store.Signal{Type: store.SignalDue}, true
	case "l":
		holder, limit, ok := strings.Cut(rest, ":")
		return store.Signal{Type: store.SignalLimit, Holder: holder, Limit: limit}, ok
	case "m":
		return store.Signal{Type: store.SignalMode}, true
	case "s":
		place, key, ok := strings.Cut(rest, ":")
		n, err := format.ParseInt(place)
		return store.Signal{Type: store.SignalSemaphore, Semaphore: key, Place: n}, ok && err == nil
	}
	return store.Signal{}, false
}
