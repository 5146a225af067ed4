package redisstore

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/rollcall-go/rollcall/store"
	"github.com/rollcall-go/rollcall/store/redisstore/internal/format"
	"github.com/rollcall-go/rollcall/store/redisstore/internal/script"
)

// reconsiderSlice is how many lanes, and how many rings, one call of the script looks at.
const reconsiderSlice = store.MaxBatch

// Reconsider implements [store.Sessions].
func (s *Store) Reconsider(ctx context.Context, partition int, routes []store.Route) error {
	k := s.spaces[partition]
	for some := range slices.Chunk(routes, reconsiderSlice) {
		for more := true; more; {
			c := script.NewCall(k.Clock).Add(k.Channel).Int(reconsiderSlice)
			for _, r := range some {
				c.Key(k.Ring(format.RouteName(r)))
				c.Add(r.Queue)
			}
			word, rest, err := s.server.Word(ctx, script.Reconsider, c)
			if err != nil {
				return err
			}
			if word != "ok" || len(rest) != 1 {
				return script.Unexpected(script.Reconsider, word)
			}
			more = script.Number(rest[0]) == reconsiderSlice
		}
	}
	return nil
}

// asides are the routes under which runs stand aside besides those that a call is about, as far as a session knows: a script
// that lets a run go on needs the rings.
type asides map[int64][]string

// maxAsides bounds the runs of which a session remembers that. What it forgets it learns again.
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

// declare packs rings as read_rings of the part aside reads them: of the routes that a call is about, and those known of the run.
func (a asides) declare(c *script.Call, k *format.Keyspace, run int64, routes []string) {
	routes = append(routes, a[run]...)
	slices.Sort(routes)
	routes = slices.Compact(routes)
	c.Int(len(routes))
	for _, route := range routes {
		c.Add(route).Int(c.Key(k.Ring(route)))
	}
}

// declareAside packs the rings of all lanes of a run that stand aside by now.
func (s *Store) declareAside(ctx context.Context, c *script.Call, k *format.Keyspace, run int64) error {
	fields, err := s.client.Do(ctx, s.client.B().Hmget().Key(k.Run(format.RunID(run))).Field("aside").Build()).ToArray()
	aside, err := firstOf(fields, err)
	if err = s.server.Translate(ctx, "read which lanes stand aside", err); err != nil && !errors.Is(err, store.ErrCorrupt) {
		return err
	}
	asides(nil).declare(c, k, run, strings.Fields(aside))
	return nil
}

// tooManyAgain is the error of a call that was made again and again since others had more of its runs stand aside.
func tooManyAgain(what string) error {
	return store.Transient(fmt.Errorf("%s: runs kept standing aside under other routes", what))
}
