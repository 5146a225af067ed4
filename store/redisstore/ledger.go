package redisstore

import (
	"context"
	"slices"

	"github.com/redis/rueidis"

	"github.com/rollcall-go/rollcall/store"
	"github.com/rollcall-go/rollcall/store/redisstore/internal/format"
	"github.com/rollcall-go/rollcall/store/redisstore/internal/script"
	"github.com/rollcall-go/rollcall/store/statuses"
)

// How much of what one round trip of QueueStats reads.
const (
	entriesAtOnce = 5_000 // of an index
	indexesAtOnce = 128
	runsAtOnce    = 1_000
	frontsAtOnce  = 128 // of a route, at first
	longMessage   = 16 << 10
	longBytes     = 16 << 20 // of first messages that may be long, in all
)

// QueueStats implements [store.Ledger] with plain commands: in a script each would cost several
// times as much, and block the server. Rings and due times tell which lanes have tasks. A run says
// how many wait; its lanes say the same, and if they do not, more of them is read. Nothing is asked
// whose answer is known: the length of the only lane of a run, or the first task of a lane if its
// run began later than a task waits. Oldest leaves out lanes with long messages beyond the first
// 16 MiB, those of the oldest runs.
func (s *Store) QueueStats(ctx context.Context, partition int) ([]store.QueueRecord, error) {
	if err := s.server.Begin(ctx); err != nil {
		return nil, err
	}
	d := &depths{Store: s, k: s.spaces[partition], routes: make(map[string]*depth), runs: make(map[string]*runDepth)}
	for _, step := range []func(context.Context) error{
		d.readPauses, d.readLeases, d.readPlaces, d.readRuns, d.readOldest, d.readFigures,
	} {
		if err := step(ctx); err != nil {
			return nil, err
		}
	}
	out := make([]store.QueueRecord, 0, len(d.routes))
	for _, q := range d.routes {
		q.Enter(q.figures)
		if q.Route.Counted() && q.QueueRecord != (store.QueueRecord{Route: q.Route}) {
			out = append(out, q.QueueRecord)
		}
	}
	return out, nil
}

// depths is one reading of the ledger.
type depths struct {
	*Store
	k      *format.Keyspace
	pauses store.PauseSet
	routes map[string]*depth
	runs   map[string]*runDepth
	long   int64 // bytes of first messages that may be long
}

// depth is the record of a route as it fills.
type depth struct {
	store.QueueRecord
	figures store.Figures
	closed  bool // a pause covers it
	fronts  []waitingLane
}

// runDepth is a run, with the routes of the lanes in which tasks wait, and of those in which some
// are delayed.
type runDepth struct {
	waits, delays []string
	starting      bool // it may have a root that waits in the run itself
	held          bool
	root          *depth // of that root; nil if there is none
}

// waitingLane is a lane with tasks of which the first may be the oldest.
type waitingLane struct {
	storedLane
	number  int64 // of its run: when it began, in µs
	longest int64 // longest message of the run
}

// at finds the record of a route; nil if the name is none.
func (d *depths) at(name string) *depth {
	q := d.routes[name]
	if q == nil {
		route, ok := format.ParseRoute(name)
		if !ok {
			return nil
		}
		q = &depth{QueueRecord: store.QueueRecord{Route: route}, closed: len(d.pauses.Covering(route, nil)) > 0}
		d.routes[name] = q
	}
	return q
}

func (d *depths) run(id string) *runDepth {
	r := d.runs[id]
	if r == nil {
		r = &runDepth{}
		d.runs[id] = r
	}
	return r
}

func (d *depths) readPauses(ctx context.Context) error {
	h, err := d.client.Do(ctx, d.client.B().Hgetall().Key(d.k.Pauses).Build()).AsStrMap()
	if err = script.Empty(d.server.Translate(ctx, "read what is paused", err)); err != nil {
		return err
	}
	d.pauses = format.ParsePauses(h)
	return nil
}

// readLeases counts what sessions hold.
func (d *depths) readLeases(ctx context.Context) error {
	sessions, err := d.client.Do(ctx, d.client.B().Zrange().Key(d.k.Leases).Min("0").Max("-1").Build()).AsStrSlice()
	if err = script.Empty(d.server.Translate(ctx, "list sessions", err)); err != nil {
		return err
	}
	return d.leases(ctx, d.k, sessions, func(_ string, lane store.Lane) {
		d.at(format.RouteName(lane.Route)).Running++
	})
}

// members reads indexes up to a score, page by page, and calls each with every entry and the
// position of its index.
func (d *depths) members(ctx context.Context, indexes []string, last string, each func(i int, name string)) error {
	for first := 0; first < len(indexes); first += indexesAtOnce {
		left := make([]int, 0, indexesAtOnce)
		for i := first; i < min(first+indexesAtOnce, len(indexes)); i++ {
			left = append(left, i)
		}
		for from := int64(0); len(left) > 0; from += entriesAtOnce {
			cmds := make(rueidis.Commands, len(left))
			for at, i := range left {
				cmds[at] = d.client.B().Zrangebyscore().Key(indexes[i]).Min("-inf").Max(last).
					Limit(from, entriesAtOnce).Build()
			}
			longer := left[:0]
			for at, r := range d.client.DoMulti(ctx, cmds...) {
				names, err := r.AsStrSlice()
				if err = script.Empty(d.server.Translate(ctx, "read an index", err)); err != nil {
					return err
				}
				i := left[at]
				if len(names) == entriesAtOnce {
					longer = append(longer, i)
				}
				for _, name := range names {
					each(i, name)
				}
			}
			left = longer
		}
	}
	return nil
}

// readPlaces finds the active runs, and the lanes in which they have tasks. One that is paused is
// in no ring.
func (d *depths) readPlaces(ctx context.Context) error {
	starting := format.IndexEnd(format.IndexState(statuses.Starting))
	err := d.members(ctx, []string{d.k.Index}, starting, func(_ int, id string) { d.run(id).starting = true })
	if err != nil {
		return err
	}
	active := format.IndexEnd(format.IndexState(statuses.Running))
	if err = d.members(ctx, []string{d.k.Index}, active, func(_ int, id string) { d.run(id) }); err != nil {
		return err
	}
	var routes, rings []string
	err = d.members(ctx, []string{d.k.Routes}, "+inf", func(_ int, name string) {
		if d.at(name) != nil {
			routes, rings = append(routes, name), append(rings, d.k.Ring(name))
		}
	})
	if err != nil {
		return err
	}
	err = d.members(ctx, rings, "+inf", func(i int, id string) {
		if r := d.run(id); d.at(routes[i]).Route.Counted() {
			r.waits = addNew(r.waits, routes[i])
		}
	})
	if err != nil {
		return err
	}
	return d.members(ctx, []string{d.k.Due}, "+inf", func(_ int, name string) {
		if id, route, ok := format.ParseLane(name); ok && route.Counted() {
			r := d.run(id)
			r.delays = addNew(r.delays, format.RouteName(route))
		}
	})
}

// addNew adds a name to a short list, unless it is there.
func addNew(list []string, name string) []string {
	if slices.Contains(list, name) {
		return list
	}
	return append(list, name)
}

// readFigures reads the figures of all routes.
func (d *depths) readFigures(ctx context.Context) error {
	for cursor := uint64(0); ; {
		cmd := d.client.B().Hscan().Key(d.k.Ledger).Cursor(cursor).Count(entriesAtOnce / 5).Build()
		page, err := d.client.Do(ctx, cmd).AsScanEntry()
		if err = script.Empty(d.server.Translate(ctx, "read figures", err)); err != nil {
			return err
		}
		for i := 0; i+1 < len(page.Elements); i += 2 {
			name := page.Elements[i]
			if len(name) < 3 {
				continue
			}
			n, _ := format.ParseInt(page.Elements[i+1])
			if q := d.at(name[2:]); q != nil {
				f := &q.figures
				into := map[byte]*int64{
					'e': &f.Enqueued, 's': &f.Succeeded, 'f': &f.Failed, 'r': &f.Retried, 'o': &f.Other,
				}[name[0]]
				if into != nil {
					*into = n
				}
			}
		}
		if cursor = page.Cursor; cursor == 0 {
			return nil
		}
	}
}
