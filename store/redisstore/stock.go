package redisstore

import (
	"sync"
	"time"

	"github.com/redis/rueidis"

	"github.com/rollcall-go/rollcall/store"
	"github.com/rollcall-go/rollcall/store/redisstore/internal/format"
	"github.com/rollcall-go/rollcall/store/redisstore/internal/script"
)

// A fetch names the routes that may have work. If it is asked for up to maxNamed routes, it names
// all of them. If it is asked for more, it names those of the last reply and those that were
// signalled since. It asks for all of them, maxNamed in a call, only when signals may have been
// missed: when the session begins, after the subscription was down, and each stockAge.
const (
	maxNamed = 64
	maxKnown = 3 * maxNamed
	stockAge = 5 * time.Second
)

// stock is what a session knows of the routes that may have work.
type stock struct {
	known map[store.Route]bool // by the last replies; only for fetches, which are serial
	rest  []store.Route        // still to be asked for, likewise
	place int                  // behind the last of all that was asked for, likewise
	asked time.Time            // when it was last begun to ask for all, likewise
	sync  int                  // of the hub, at that time, likewise
	index map[string]served    // by queue, likewise

	mu        sync.Mutex
	wide      bool // fetches have more than maxNamed routes
	signalled map[string]bool
}

// served are the routes of a queue that fetches ask for, indexed for as long as they are the same
// slice.
type served struct {
	list   []store.Route
	routes map[store.Route]bool
}

// serves reports whether a route is among those of a queue.
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

// take adds the signalled routes to the known ones. A later signal is for the next call.
func (k *stock) take() {
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
}

// begin decides whether a fetch must ask for all of its routes before it may say that there is
// nothing. synced is how often the subscription was made; 0 while it is down. begin continues
// behind the last route that was asked for, so that each has its turn.
func (k *stock) begin(queues []store.FetchQueue, synced int) {
	total := countRoutes(queues)
	if total <= maxNamed {
		return
	}
	k.take()
	if synced != 0 && synced == k.sync && time.Since(k.asked) < stockAge && len(k.known) <= maxKnown {
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

// narrow chooses which of many routes the next call names. It reports whether others are still to
// be asked for.
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
			break // the others are asked for in turn
		}
		chosen[r] = true
	}
	for _, q := range queues {
		routes := make([]store.Route, 0, len(chosen))
		for r := range chosen {
			if r.Queue == q.Queue && len(q.Routes) > 0 && k.serves(&q, r) {
				routes = append(routes, r)
			}
		}
		named = append(named, store.FetchQueue{Queue: q.Queue, Routes: routes})
	}
	return named, len(k.rest) > 0
}

// learn reads which of the named routes a reply names, as {route, run, marker} of each lane. If the
// reply could not name all, any of them may have work.
func (k *stock) learn(named []store.Route, told []rueidis.RedisMessage, readOnly bool) {
	if k.known == nil {
		return
	}
	all := readOnly || len(told) >= 3*maxHints
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
