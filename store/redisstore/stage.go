package redisstore

import (
	"context"

	"github.com/rollcall-go/rollcall/store"
	"github.com/rollcall-go/rollcall/store/redisstore/internal/format"
	"github.com/rollcall-go/rollcall/store/redisstore/internal/script"
)

// If a task has too many children for its settle call, they wait in staged lists. There are at most
// two lists for each delivery and route. One has plain children, which workers later take directly
// from it. The other has special children, with a delay or a claimed ID; they are moved to their
// lane a slice at a time. When the parent settles, a marker of the list is added to the lane: 'p'
// or 'x', then the name of the delivery. So the cost of a success does not depend on the number of
// children.
//
// Only the server knows what is staged. Each step says how many children it expects there. If the
// server lost some, it refuses the step.

func plainMarker(delivery string) string   { return "p" + delivery }
func specialMarker(delivery string) string { return "x" + delivery }

// stagedLists declares the keys of both staged lists of a delivery and route. It returns the index
// of the plain one; the special one follows.
func (b *batch) stagedLists(run, delivery string, r store.Route) int {
	plain := b.Key(b.space.Staged(run, format.StagedName(plainMarker(delivery), r)))
	b.Key(b.space.Staged(run, format.StagedName(specialMarker(delivery), r)))
	return plain
}

// Stage implements [store.Sessions].
func (s *Store) Stage(ctx context.Context, p store.StageParams) error {
	if p.Lease.Session != p.Session.ID {
		return store.ErrLeaseLost
	}
	k := s.spaces[p.Session.Partition]
	if strange, err := s.strange(ctx, k, p.Lease.Lane.Run); err != nil {
		return err
	} else if strange {
		return store.ErrLeaseLost
	}
	b := newBatch(s, k)
	items := make([]*store.Item, len(p.Items))
	for i := range p.Items {
		items[i] = &p.Items[i]
	}
	var plain, specials []string
	longest := 0
	for i, message := range b.messages(items) {
		if special(items[i]) {
			message = when(items[i]) + " " + message
			specials = append(specials, message)
		} else {
			plain = append(plain, message)
		}
		longest = max(longest, len(message))
	}
	id, delivery := format.RunID(p.Lease.Lane.Run.Number), format.DeliveryName(p.Lease)
	b.Keys = append(b.Keys, k.Session(p.Session.ID), k.Run(id), k.Stage(id))
	b.stagedLists(id, delivery, p.Route)
	b.Add(format.LeaseField(p.Lease), delivery+"/"+format.RouteName(p.Route)).Int(p.Offset).Int(longest)
	b.Int(len(plain)).Add(plain...).Int(len(specials)).Add(specials...)
	word, rest, err := s.server.Word(ctx, script.Stage, b.Call)
	switch {
	case err != nil:
		return err
	case word == "ok":
		return nil
	case word == "lost":
		return store.ErrLeaseLost
	case word == "stopped":
		return store.ErrJobStopped
	case word == "there" && len(rest) == 1:
		_, err := p.StagedAt(int(script.Number(rest[0])))
		return err
	}
	return script.Unexpected(script.Stage, word)
}
