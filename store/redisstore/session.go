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

// session is what the client remembers of a session between calls. It has only hints and names. The
// server has, or checks, everything itself.
type session struct {
	fetching sync.Mutex // held during a fetch; fetches of a session are serial anyway
	hints    []hint
	emptied  []hint // lanes that were emptied last: so new tasks in one of them are found in one round

	aside asides // of Settle; its calls are serial
	stock stock

	mu   sync.Mutex
	busy string // what Heartbeat last stored of running tasks and configurations
	// reporting has the numbers of the runs in which Heartbeat last showed progress.
	reporting map[int64]bool
}

// hint is a lane that may have work. A script can use only lanes whose keys the caller declared.
type hint struct {
	route  store.Route
	run    int64
	marker string // the first marker of staged children, from the last read
}

// remember keeps the declared lanes that the reply does not name: they are empty now.
func (ses *session) remember(declared []hint) {
	ses.emptied = ses.emptied[:0]
	for _, h := range declared {
		told := slices.ContainsFunc(ses.hints, func(o hint) bool { return o.run == h.run && o.route == h.route })
		if !told && len(ses.emptied) < maxEmptied {
			ses.emptied = append(ses.emptied, hint{route: h.route, run: h.run})
		}
	}
}

// maxHints is the largest number of lanes that one fetch declares. At most maxEmptied of them were
// emptied before.
const (
	maxHints   = 64
	maxEmptied = 4
)

// asides has the other routes under which runs stand aside, by run, as far as the session knows. A
// script that lets a run go on needs the rings of these routes.
type asides map[int64][]string

// maxAsides is for how many runs a session remembers this. If it forgets a run, it learns the
// routes again.
const maxAsides = 1024

// learn adds what a script returned about a run.
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

// declare packs rings in the form that read_rings of the part aside reads: the rings of the call's
// routes, and the known ones of the run.
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
