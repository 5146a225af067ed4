package redisstore

import (
	"sync"
	"time"

	"github.com/redis/rueidis"

	"github.com/rollcall-go/rollcall/store"
	"github.com/rollcall-go/rollcall/store/redisstore/internal/format"
	"github.com/rollcall-go/rollcall/store/redisstore/internal/script"
)

// A call of fetch names routes. Up to maxNamed routes, it names all. If the worker has more routes,
// a call names those of the last reply and those that were signalled since. It goes through all
// routes, maxNamed in a call, only if signals may have been missed, or do not name routes: when the
// session begins, after a pause began or ended, after the subscription was down, and each stockAge.
const (
	maxNamed = 64
	maxKnown = 3 * maxNamed
	stockAge = 5 * time.Second
)

// stock is what a session knows about routes that may have work.
type stock struct {
	known map[store.Route]bool // from the last replies; only for fetches, which are serial
	rest  []store.Route        // still to be asked for; likewise
	place int                  // after the last route that was asked for; likewise
	asked time.Time            // when the last pass through all routes began; likewise
	sync  int                  // state of the hub at that time; likewise
	index map[string]served    // by queue; likewise

	mu        sync.Mutex
	wide      bool // fetches have more than maxNamed routes
	moved     bool // a pause began or ended: any route may have work that no reply named
	signalled map[string]bool
}

// served is an index of the routes of a queue. It is valid while fetches pass the same slice.
type served struct {
	list   []store.Route
	routes map[store.Route]bool
}

// serves reports whether a queue has a route.
func (k *stock) serves(q *store.FetchQueue, r store.Route) bool {
	is := k.index[q.Queue]
	if len(is.list) != len(q.Routes) || &is.list[0] != &q.Routes[0] {
		is = served{q.Routes, make(map[store.Route]bool, len(q.Routes))}
		for _, r := range q.Routes {
			is.routes[r] = true
		}
		k.index[q.Queue] = is
	}
	return is.routes[r]
}

func (k *stock) note(route string) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.wide {
		k.signalled[route] = true
	}
}

// noteAll makes the next fetch ask for all routes.
func (k *stock) noteAll() {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.moved = true
}

// take adds the signalled routes to the known ones, and reports whether a pause began or ended.
// Later signals are for the next call.
func (k *stock) take() (moved bool) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if !k.wide {
		k.wide, k.known, k.signalled = true, make(map[store.Route]bool), make(map[string]bool)
		k.index = make(map[string]served)
	}
	for name := range k.signalled {
		if route, ok := format.ParseRoute(name); ok {
			k.known[route] = true
		}
	}
	clear(k.signalled)
	moved, k.moved = k.moved, false
	return moved
}

// begin decides whether a fetch must ask for all of its routes before it may return nothing. synced
// is how often the subscription was made; 0 while it is down. begin continues after the last route
// that was asked for, so that each route gets its turn.
func (k *stock) begin(queues []store.FetchQueue, synced int) {
	total := countRoutes(queues)
	if total <= maxNamed {
		return
	}
	moved := k.take()
	fresh := synced != 0 && synced == k.sync && time.Since(k.asked) < stockAge && len(k.known) <= maxKnown
	if fresh && !moved {
		return
	}
	k.asked, k.sync = time.Now(), synced
	all := make([]store.Route, 0, 2*total)
	for range 2 {
		for _, q := range queues {
			all = append(all, q.Routes...)
		}
	}
	k.place %= total
	k.rest = all[k.place : k.place+total]
}

func countRoutes(queues []store.FetchQueue) (n int) {
	for _, q := range queues {
		n += len(q.Routes)
	}
	return n
}

// narrow chooses the routes that the next call names, and with them their queues. It reports
// whether others must still be asked for.
func (k *stock) narrow(queues []store.FetchQueue) (named []store.FetchQueue, more bool) {
	if countRoutes(queues) <= maxNamed {
		return queues, false
	}
	next := k.rest[:min(len(k.rest), maxNamed)]
	k.rest, k.place = k.rest[len(next):], k.place+len(next)
	chosen := make(map[store.Route]bool, len(next)+len(k.known))
	for _, r := range next {
		chosen[r] = true
	}
	for r := range k.known {
		if len(chosen) >= maxNamed+maxKnown {
			break // the others follow in turn
		}
		chosen[r] = true
	}
	byQueue := make(map[string][]store.Route)
	for r := range chosen {
		byQueue[r.Queue] = append(byQueue[r.Queue], r)
	}
	for i := range queues {
		q := &queues[i]
		var routes []store.Route
		for _, r := range byQueue[q.Queue] {
			if len(q.Routes) > 0 && k.serves(q, r) {
				routes = append(routes, r)
			}
		}
		if len(routes) > 0 {
			named = append(named, store.FetchQueue{Queue: q.Queue, Routes: routes})
		}
	}
	return named, len(k.rest) > 0
}

// learn reads the routes with work from a reply, which has {route, run, marker} of each lane. If
// the reply could not name all lanes, any of the routes may have work.
func (k *stock) learn(named []store.Route, told []rueidis.RedisMessage) {
	if k.known == nil {
		return
	}
	all := len(told) >= 3*maxHints
	if !all {
		for _, r := range named {
			delete(k.known, r)
		}
		for i := 0; i < len(told); i += 3 {
			k.known[named[script.Number(told[i])-1]] = true
		}
		return
	}
	for _, r := range named {
		k.known[r] = true
	}
}
