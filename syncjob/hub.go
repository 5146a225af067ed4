package syncjob

import (
	"context"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/rollcall-go/rollcall/internal/lifecycle"
	"github.com/rollcall-go/rollcall/store"
	"github.com/rollcall-go/rollcall/store/signals"
)

// rareLook is how often a listener that gets a signal of every change reads anyway.
const rareLook = 10 * time.Minute

// hub passes the signals of one subscription to all listeners in the process: watchers of runs, and
// workers. It subscribes for the first listener and stays subscribed until it is closed, so short
// waits do not connect again and again.
type hub struct {
	store    store.Signals
	log      *slog.Logger
	group    *lifecycle.Group
	complete bool        // the store signals every change
	hears    atomic.Bool // a subscription is open

	mu        sync.RWMutex
	started   bool
	listeners map[*listener]struct{}
}

// listener receives signals. notify must not block.
type listener struct {
	notify func(store.Signal)
}

func newHub(s store.Signals, log *slog.Logger) *hub {
	return &hub{
		store:     s,
		log:       log,
		group:     lifecycle.New(context.Background()),
		complete:  store.SignalsAreComplete(s),
		listeners: make(map[*listener]struct{}),
	}
}

// Listen calls notify for every signal until the returned function is called. Call Listen first and
// read the state second: then no change is missed, unless its signal is lost.
func (h *hub) Listen(notify func(store.Signal)) (leave func()) {
	l := &listener{notify}
	h.mu.Lock()
	defer h.mu.Unlock()
	h.listeners[l] = struct{}{}
	if !h.started {
		h.started = h.group.Go(h.subscribe)
	}
	return func() {
		h.mu.Lock()
		defer h.mu.Unlock()
		delete(h.listeners, l)
	}
}

func (h *hub) subscribe(ctx context.Context) {
	for ctx.Err() == nil {
		err := h.store.Subscribe(ctx, h.dispatch)
		h.hears.Store(false)
		if ctx.Err() != nil {
			return
		}
		h.tell(store.Signal{Type: signals.Sync}) // sleeping listeners must read now, and more often from now on
		// All listeners also read from time to time, so a failed subscription only adds latency.
		h.log.WarnContext(ctx, "subscription to wake-ups failed", "error", err)
		lifecycle.Pause(ctx, lifecycle.Jitter(2*time.Second))
	}
}

func (h *hub) dispatch(s store.Signal) {
	h.hears.Store(true)
	h.tell(s)
}

// TellsAll reports whether listeners get a signal of every change, so they can read rarely.
func (h *hub) TellsAll() bool { return h.complete && h.hears.Load() }

// Every returns how often a listener reads without a signal: at the interval that it asks for, or
// rarely if it gets a signal of every change.
func (h *hub) Every(d time.Duration) time.Duration {
	if h.TellsAll() {
		return max(d, rareLook)
	}
	return d
}

func (h *hub) tell(s store.Signal) {
	h.mu.RLock()
	defer h.mu.RUnlock()
	for l := range h.listeners {
		l.notify(s)
	}
}

func (h *hub) close() { h.group.Stop(store.ErrClosed) }
