package memstore

import (
	"context"
	"fmt"

	"github.com/rollcall-go/rollcall/store"
)

// staged are the children of a running task for one route. They hang on the
// holding of their parent, so that losing the lease loses them too.
type staged struct {
	n      int
	chunks []chunk
}

// chunk is one call of Stage.
type chunk struct {
	items []store.Item // nil if plain
	plain []store.Task // neither delayed nor claimed: links into the lane as it is
}

// Stage parks children of a running task.
func (s *Store) Stage(ctx context.Context, p store.StageParams) error {
	if err := validateBatch("Items", len(p.Items)); err != nil {
		return err
	}
	for i, it := range p.Items {
		if it.Route != p.Route {
			return &store.FieldError{Field: fmt.Sprintf("Items[%d].Route", i), Reason: "differs from the route of the chunk"}
		}
	}
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
	case h.lane.run.rec.Status == store.StatusStopping:
		return store.ErrJobStopped
	}
	return h.stage(p)
}

func (h *holding) stage(p store.StageParams) error {
	st := h.staged[p.Route]
	if st == nil {
		st = &staged{}
		if h.staged == nil {
			h.staged = map[store.Route]*staged{}
		}
		h.staged[p.Route] = st
	}
	switch {
	case p.Offset >= 0 && p.Offset+len(p.Items) <= st.n:
		return nil // a repeat
	case p.Offset != st.n:
		return &store.FieldError{Field: "Offset", Reason: fmt.Sprintf("is %d where %d are staged", p.Offset, st.n)}
	}
	st.n += len(p.Items)
	st.chunks = append(st.chunks, newChunk(p.Items))
	return nil
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

// publish makes the children of a succeeded task visible: first the staged ones,
// which were made first, then those that travelled with the outcome.
func (b *settling) publish(r *run, h *holding, o *store.Outcome) {
	for _, route := range o.Staged {
		st := h.staged[route]
		if st == nil {
			continue
		}
		delete(h.staged, route) // listed twice, published once
		l := b.lane(r, route)
		for _, c := range st.chunks {
			l.waiting.pushBlock(c.plain)
			r.rec.Counts.Total += int64(len(c.plain))
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
