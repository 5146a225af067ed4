package redisstore

import (
	"context"
	"fmt"
	"slices"

	"github.com/rollcall-go/rollcall/store"
)

// Children that are too many to travel with their parent's settlement wait in
// staged lists, two at most per delivery and route: plain ones, that workers
// later pop right from there, and special ones, which have a delay or a claimed
// ID and are moved to their lane a slice at a time. Settling the parent pushes
// the list's marker to the lane: 'p' or 'x', then the delivery's name. So the
// cost of a success does not depend on how many children it has.

// stagedCount is how many children of one delivery were staged under a route.
type stagedCount struct {
	plain, special int
}

func plainMarker(delivery string) string   { return "p" + delivery }
func specialMarker(delivery string) string { return "x" + delivery }

// stagedName names the staged list that a marker stands for.
func stagedName(marker string, r store.Route) string {
	return marker + "/" + routeName(r)
}

// Stage implements [store.Sessions].
func (s *Store) Stage(ctx context.Context, p store.StageParams) error {
	if len(p.Items) > store.MaxBatch {
		return &store.FieldError{Field: "Items", Reason: "are more than MaxBatch"}
	}
	if p.Lease.Session != p.Session.ID {
		return store.ErrLeaseLost
	}
	ses := s.session(p.Session)
	count := ses.stagedUnder(p.Lease, p.Route)
	if p.Offset+len(p.Items) <= count.plain+count.special {
		return nil // a repeat of what has succeeded
	}
	if p.Offset != count.plain+count.special {
		return fmt.Errorf("stage at %d of %d: %w", p.Offset, count.plain+count.special, store.ErrStale)
	}

	k := s.spaces[p.Session.Partition]
	b := newBatch(s, k)
	items := make([]*store.Item, len(p.Items))
	for i := range p.Items {
		items[i] = &p.Items[i]
	}
	var plain, specials []string
	for i, message := range b.messages(items) {
		if special(items[i]) {
			specials = append(specials, when(items[i])+" "+message)
		} else {
			plain = append(plain, message)
		}
	}
	delivery := deliveryName(p.Lease)
	err := s.stageList(ctx, k, &p, plainMarker(delivery), count.plain, plain)
	if err == nil {
		err = s.stageList(ctx, k, &p, specialMarker(delivery), count.special, specials)
	}
	switch {
	case isLost(err):
		s.forgetSession(p.Session)
	case err == nil:
		count.plain += len(plain)
		count.special += len(specials)
	}
	// Also after an error, whose outcome may be unknown: the settlement of the
	// parent takes along, or away, all that might be there.
	ses.noteStaged(p.Lease, p.Route, count)
	return err
}

func (ses *session) stagedUnder(l store.Lease, r store.Route) stagedCount {
	ses.mu.Lock()
	defer ses.mu.Unlock()
	return ses.staged[l][r]
}

func (ses *session) noteStaged(l store.Lease, r store.Route, count stagedCount) {
	ses.mu.Lock()
	defer ses.mu.Unlock()
	routes := ses.staged[l]
	if routes == nil {
		routes = make(map[store.Route]stagedCount)
		ses.staged[l] = routes
	}
	routes[r] = count
}

func (s *Store) stageList(ctx context.Context, k *keyspace, p *store.StageParams, marker string, offset int, messages []string) error {
	if len(messages) == 0 {
		return nil
	}
	id := runID(p.Lease.Lane.Run.Number)
	name := stagedName(marker, p.Route)
	longest := len(slices.MaxFunc(messages, func(a, b string) int { return len(a) - len(b) }))
	c := newCall(k.session(p.Session.ID), k.run(id), k.stage(id), k.staged(id, name))
	c.add(leaseField(p.Lease), name).int(offset).int(longest).add(messages...)
	word, _, err := s.word(ctx, stageScript, c)
	switch {
	case err != nil:
		return err
	case word == "ok":
		return nil
	case word == "lost":
		return store.ErrLeaseLost
	case word == "stopped":
		return store.ErrJobStopped
	}
	return unexpected(stageScript, word)
}
