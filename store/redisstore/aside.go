package redisstore

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/rollcall-go/rollcall/store"
	"github.com/rollcall-go/rollcall/store/bounds"
	"github.com/rollcall-go/rollcall/store/redisstore/internal/format"
	"github.com/rollcall-go/rollcall/store/redisstore/internal/script"
)

// reconsiderSlice is how many lanes, and how many rings, one call of the script checks.
const reconsiderSlice = bounds.MaxBatch

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

// declareAside packs the rings of all lanes of a run that now stand aside.
func (s *Store) declareAside(ctx context.Context, c *script.Call, k *format.Keyspace, run int64) error {
	fields, err := s.client.Do(ctx, s.client.B().Hmget().Key(k.Run(format.RunID(run))).Field("aside").Build()).ToArray()
	aside, err := script.First(fields, err)
	if err = s.server.Translate(ctx, "read which lanes stand aside", err); err != nil &&
		!errors.Is(err, store.ErrCorrupt) {
		return err
	}
	asides(nil).declare(c, k, run, strings.Fields(aside))
	return nil
}

// tooManyAgain returns the error of a call that was repeated too often, because other workers set
// more lanes of its runs aside each time.
func tooManyAgain(what string) error {
	return store.Transient(fmt.Errorf("%s: runs kept standing aside under other routes", what))
}
