package redisstore

import (
	"errors"
	"slices"
	"strings"
	"sync"

	"github.com/rollcall-go/rollcall/store"
	"github.com/rollcall-go/rollcall/store/redisstore/internal/format"
	"github.com/rollcall-go/rollcall/store/redisstore/internal/script"
)

// session is what the client remembers of a session between calls: only hints
// and names, nothing that the store does not hold or verify itself.
type session struct {
	fetching sync.Mutex // held during a fetch, which is serial anyway
	hints    []hint
	emptied  []hint // lanes that were emptied last: what is enqueued into one of them is then found in one round

	aside asides // of Settle, which is serial
	stock stock

	mu   sync.Mutex
	busy string // what Heartbeat last stored as running
	// reporting are the numbers of runs in which Heartbeat last showed progress.
	reporting map[int64]bool
}

// hint is a lane that may have work: a script touches only lanes whose keys the caller declared.
type hint struct {
	route  store.Route
	run    int64
	marker string // the first marker of staged children, as last seen
}

// remember notes the declared lanes that the reply does not name: they are empty now.
func (ses *session) remember(declared []hint) {
	ses.emptied = ses.emptied[:0]
	for _, h := range declared {
		told := slices.ContainsFunc(ses.hints, func(o hint) bool { return o.run == h.run && o.route == h.route })
		if !told && len(ses.emptied) < maxEmptied {
			ses.emptied = append(ses.emptied, hint{route: h.route, run: h.run})
		}
	}
}

// maxHints bounds the lanes that one fetch declares, of which maxEmptied may have been emptied
// before.
const (
	maxHints   = 64
	maxEmptied = 4
)

// asides are, by run, other routes under which the run stands aside, as far as a session knows. A
// script that lets the run go on needs their rings.
type asides map[int64][]string

// maxAsides bounds the runs that a session remembers this of. It learns again what it forgets.
const maxAsides = 1024

// learn adds what a script said of a run.
func (a asides) learn(run int64, aside string) {
	if len(a) >= maxAsides {
		clear(a)
	}
	for route := range strings.FieldsSeq(aside) {
		if !slices.Contains(a[run], route) {
			a[run] = append(a[run], route)
		}
	}
}

// declare packs rings in the form that read_rings of the part aside reads: those of the routes of
// the call, and those known of the run.
func (a asides) declare(c *script.Call, k *format.Keyspace, run int64, routes []string) {
	routes = append(routes, a[run]...)
	slices.Sort(routes)
	routes = slices.Compact(routes)
	c.Int(len(routes))
	for _, route := range routes {
		c.Add(route).Int(c.Key(k.Ring(route)))
	}
}

func isLost(err error) bool { return errors.Is(err, store.ErrLeaseLost) }
