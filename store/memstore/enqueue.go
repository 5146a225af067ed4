package memstore

import (
	"context"
	"time"

	"github.com/rollcall-go/rollcall/store"
	"github.com/rollcall-go/rollcall/store/bounds"
	"github.com/rollcall-go/rollcall/store/rules"
	"github.com/rollcall-go/rollcall/store/statuses"
)

// producer is a registered stream: its last number, and the reply to the call with that number.
type producer struct {
	last    int64
	reply   store.EnqueueReply  // if the call was Enqueue
	written []store.WriteResult // if the call was WriteValues
	redone  store.RedoReply     // if the call was RedoFailures
	used    time.Time
}

// OpenProducer registers a stream.
func (s *backend) OpenProducer(ctx context.Context, partition int, stream string) error {
	part, err := s.at(ctx, partition)
	if err != nil {
		return err
	}
	defer part.unlock()
	if now := part.now(); part.producer(stream, now) == nil {
		part.producers[stream] = &producer{used: now}
	}
	return nil
}

// CloseProducer forgets a stream.
func (s *backend) CloseProducer(ctx context.Context, partition int, stream string) error {
	part, err := s.at(ctx, partition)
	if err != nil {
		return err
	}
	defer part.unlock()
	delete(part.producers, stream)
	return nil
}

// producer finds a stream that is still remembered, and notes that it is used.
func (p *partition) producer(stream string, now time.Time) *producer {
	pr := p.producers[stream]
	if pr == nil || pr.over(now) {
		return nil
	}
	pr.used = now
	return pr
}

// over reports whether a stream was not used for so long that it is forgotten.
func (pr *producer) over(now time.Time) bool { return now.Sub(pr.used) >= bounds.StreamKept }

// Enqueue opens holds, adds the entries, then closes holds, in one step.
func (s *backend) Enqueue(ctx context.Context, p store.EnqueueParams) (store.EnqueueReply, error) {
	part, err := s.at(ctx, p.Partition)
	if err != nil {
		return store.EnqueueReply{}, err
	}
	defer part.unlock()

	now := part.now()
	pr := part.producer(p.Stream, now)
	switch {
	case pr == nil:
		return store.EnqueueReply{}, store.ErrResultUnknown
	case p.Number == pr.last: // before any run is looked at: the first try may have ended it
		return copyEnqueueReply(pr.reply), nil
	case p.Number < pr.last:
		return store.EnqueueReply{}, store.ErrStale
	}
	reply := part.enqueue(p, now)
	*pr = producer{last: p.Number, reply: copyEnqueueReply(reply), used: now}
	return reply, nil
}

func (p *partition) enqueue(params store.EnqueueParams, now time.Time) store.EnqueueReply {
	var reply store.EnqueueReply
	if len(params.Holds) > 0 {
		reply.Holds = make([]error, len(params.Holds))
	}
	if len(params.Entries) > 0 {
		reply.Entries = make([]store.EnqueueResult, len(params.Entries))
	}
	changed := false
	lost := p.lostHolds(params.Holds)
	accepting := func(id store.RunID) (*run, error) {
		r, err := p.accepting(id)
		if err == nil && lost[id] {
			return nil, store.ErrHoldLost
		}
		return r, err
	}
	for i, h := range params.Holds {
		if h.Close {
			continue
		}
		r, err := accepting(h.Run)
		if err == nil {
			p.hold(r, h.Name, h.Mark, now)
			p.moved(r)
		}
		reply.Holds[i] = err
	}
	for i, e := range params.Entries {
		r, err := accepting(e.Run)
		if err != nil {
			reply.Entries[i].Err = err
			continue
		}
		p.fed(r, now)
		reply.Entries[i].Duplicate = p.admit(r, copyItem(e.Item), now)
		changed = changed || !reply.Entries[i].Duplicate
		p.moved(r)
	}
	for i, h := range params.Holds {
		if !h.Close {
			continue
		}
		r, err := accepting(h.Run)
		if err == nil {
			changed = changed || r.holds[h.Name] != store.HoldRecord{}
			p.unhold(r, h.Name)
			p.moved(r)
			p.conclude(r, now)
		}
		reply.Holds[i] = err
	}
	if changed && params.Audit != nil {
		p.audit = rules.KeepAudit(p.audit, *params.Audit, now)
	}
	return reply
}

// lostHolds returns the runs that have a hold that differs from its guard.
func (p *partition) lostHolds(holds []store.HoldChange) map[store.RunID]bool {
	var lost map[store.RunID]bool
	for _, h := range holds {
		if !h.Guarded {
			continue
		}
		r, err := p.accepting(h.Run)
		if err != nil {
			continue
		}
		if held, ok := r.holds[h.Name]; !ok || held.Mark != h.From {
			if lost == nil {
				lost = map[store.RunID]bool{}
			}
			lost[h.Run] = true
		}
	}
	return lost
}

// accepting finds a run that accepts tasks and holds.
func (p *partition) accepting(id store.RunID) (*run, error) {
	r, err := p.run(id)
	if err != nil {
		return nil, err
	}
	switch r.rec.Status {
	case statuses.Starting, statuses.Running:
		return r, nil
	case statuses.Stopping, statuses.Stopped:
		return nil, store.ErrJobStopped
	}
	return nil, store.ErrRunFinished
}

// admit adds a task to a run; the run owns the item from now on. It reports whether the task was
// left out because its claimed ID is in use.
func (p *partition) admit(r *run, it store.Item, now time.Time) (duplicate bool) {
	if !r.claims.take(it.Task, now) {
		r.rec.Duplicate++
		return true
	}
	r.rec.Counts.Total++
	p.ledger.of(it.Route).Enqueued++
	p.add(p.lane(r, it.Route), it, now)
	return false
}
