package memstore

import (
	"cmp"
	"context"
	"slices"

	"github.com/rollcall-go/rollcall/store"
	"github.com/rollcall-go/rollcall/store/statuses"
)

// staged holds the children of a running task for one route. They belong to the holding of their
// parent, so they are dropped if the lease is lost.
type staged struct {
	n      int
	chunks []chunk
}

// chunk is one call of Stage.
type chunk struct {
	items []store.Item // nil if plain
	plain []store.Task // neither delayed nor with claimed IDs: the block is linked into the lane
}

// Stage parks children of a running task.
func (s *backend) Stage(ctx context.Context, p store.StageParams) error {
	part, err := s.at(ctx, p.Session.Partition)
	if err != nil {
		return err
	}
	defer part.unlock()
	sess := part.sessions[p.Session.ID]
	if sess == nil {
		return store.ErrLeaseLost
	}
	h := sess.find(p.Lease)
	switch {
	case h == nil:
		return store.ErrLeaseLost
	case h.lane.run.rec.Status != statuses.Running:
		return store.ErrJobStopped
	}
	return h.stage(p)
}

func (h *holding) stage(p store.StageParams) error {
	st := h.staged[p.Route]
	if st == nil {
		st = &staged{}
	}
	if repeat, err := p.StagedAt(st.n); repeat || err != nil {
		return err
	}
	if h.staged == nil {
		h.staged = map[store.Route]*staged{}
	}
	h.staged[p.Route] = st
	st.n += len(p.Items)
	st.chunks = append(st.chunks, newChunk(p.Items))
	return nil
}

// complete reports whether all staged children that an outcome names are there.
func (h *holding) complete(all []store.Staged) bool {
	for _, want := range all {
		have := 0
		if st := h.staged[want.Route]; st != nil {
			have = st.n
		}
		if have != want.Count {
			return false
		}
	}
	return true
}

// listStaged lists what is staged for a delivery, by route.
func (h *holding) listStaged() (all []store.Staged) {
	for route, st := range h.staged {
		all = append(all, store.Staged{Route: route, Count: st.n})
	}
	slices.SortFunc(all, func(a, b store.Staged) int {
		return cmp.Or(
			cmp.Compare(a.Route.Queue, b.Route.Queue), cmp.Compare(a.Route.Set, b.Route.Set),
			cmp.Compare(a.Route.Kind, b.Route.Kind),
		)
	})
	return all
}

func newChunk(items []store.Item) chunk {
	plain := true
	for _, it := range items {
		plain = plain && !it.Task.Claimed && it.Delay <= 0 && it.At.IsZero()
	}
	if plain {
		tasks := make([]store.Task, len(items))
		for i, it := range items {
			tasks[i] = copyTask(it.Task)
		}
		return chunk{plain: tasks}
	}
	copied := make([]store.Item, len(items))
	for i, it := range items {
		copied[i] = copyItem(it)
	}
	return chunk{items: copied}
}

// publish makes the children of a succeeded task visible: first the staged ones, which are older,
// then those that came with the outcome.
func (b *settling) publish(r *run, h *holding, o *store.Outcome) {
	for i := range o.Staged {
		st := h.staged[o.Staged[i].Route]
		if st == nil {
			continue
		}
		l := b.lane(r, o.Staged[i].Route)
		for _, c := range st.chunks {
			l.waiting.pushBlock(c.plain)
			r.rec.Counts.Total += int64(len(c.plain))
			b.ledger.of(l.route).Enqueued += int64(len(c.plain))
			b.count(l, int64(len(c.plain)), 0)
			for _, it := range c.items {
				b.admit(r, it, b.now)
			}
		}
		b.enterRing(l)
	}
	for _, it := range o.Children {
		b.admit(r, copyItem(it), b.now)
	}
}
