package filestore

import (
	"context"
	"maps"
	"slices"
	"time"

	"github.com/rollcall-go/rollcall/store"
	"github.com/rollcall-go/rollcall/store/bounds"
	"github.com/rollcall-go/rollcall/store/rules"
	"github.com/rollcall-go/rollcall/store/statuses"
)

// producer finds a stream, and judges the number of its call. A repeat gets the last reply.
func (s *state) producer(stream string, number int64) (p *producer, repeat bool, err error) {
	p = s.Producers[stream]
	switch {
	case p == nil || p.over(s.now):
		return nil, false, store.ErrResultUnknown
	case number < p.Last:
		return nil, false, store.ErrStale
	}
	repeat = number == p.Last
	p.Used = s.now
	return p, repeat, nil
}

// over reports whether a stream was not used for so long that it is forgotten.
func (p *producer) over(now time.Time) bool { return now.Sub(p.Used) >= bounds.StreamKept }

// OpenProducer registers a stream.
func (b *backend) OpenProducer(ctx context.Context, _ int, stream string) error {
	return do(ctx, b, stream, func(s *state, stream string) error {
		if p := s.Producers[stream]; p == nil || p.over(s.now) {
			s.Producers[stream] = &producer{}
		}
		s.Producers[stream].Used = s.now
		return nil
	})
}

// CloseProducer forgets a stream.
func (b *backend) CloseProducer(ctx context.Context, _ int, stream string) error {
	return do(ctx, b, stream, func(s *state, stream string) error {
		delete(s.Producers, stream)
		return nil
	})
}

// Enqueue opens holds, adds tasks, and closes holds.
func (b *backend) Enqueue(ctx context.Context, p store.EnqueueParams) (store.EnqueueReply, error) {
	return change(ctx, b, p, (*state).enqueue)
}

func (s *state) enqueue(p store.EnqueueParams) (store.EnqueueReply, error) {
	stream, repeat, err := s.producer(p.Stream, p.Number)
	if err != nil || repeat {
		return stream.enqueued(), err
	}
	lost := map[store.RunID]bool{} // of which a hold is not as its guard says
	for _, h := range p.Holds {
		if r, err := s.run(h.Run); err == nil && h.Guarded {
			rec, open := r.OpenHolds[h.Name]
			lost[h.Run] = lost[h.Run] || !open || rec.Mark != h.From
		}
	}
	accepting := func(id store.RunID) (*run, error) {
		r, err := s.accepting(id)
		if err == nil && lost[id] {
			err = store.ErrHoldLost
		}
		return r, err
	}
	var reply store.EnqueueReply
	if len(p.Holds) > 0 {
		reply.Holds = make([]error, len(p.Holds))
	}
	if len(p.Entries) > 0 {
		reply.Entries = make([]store.EnqueueResult, len(p.Entries))
	}
	holds := func(closing bool) {
		for i, h := range p.Holds {
			if h.Close != closing {
				continue
			}
			r, err := accepting(h.Run)
			if reply.Holds[i] = err; err == nil {
				r.hold(h, s.now)
				s.conclude(r)
			}
		}
	}
	holds(false)
	open := s.openHolds(p.Audit)
	for i, e := range p.Entries {
		r, err := accepting(e.Run)
		if reply.Entries[i].Err = err; err == nil {
			r.Touched = s.now
			reply.Entries[i].Duplicate = s.admit(r, e.Item)
		}
	}
	holds(true)
	if p.Audit != nil && changes(&p, &reply, open) {
		s.Audit = rules.KeepAudit(s.Audit, *p.Audit, s.now)
	}
	stream.Last, stream.Reply = p.Number, lastReply{Enqueued: reply}
	return reply, nil
}

// openHolds are the holds of the run of a line.
func (s *state) openHolds(l *store.AuditLine) map[string]store.HoldRecord {
	if l != nil {
		if r, err := s.run(store.RunID{Job: l.Job, Number: l.Run}); err == nil {
			return maps.Clone(r.OpenHolds)
		}
	}
	return nil
}

// changes reports whether a call added a task, or closed a hold that was open.
func changes(p *store.EnqueueParams, reply *store.EnqueueReply, open map[string]store.HoldRecord) bool {
	for i, h := range p.Holds {
		if _, was := open[h.Name]; was && h.Close && reply.Holds[i] == nil {
			return true
		}
	}
	return slices.ContainsFunc(reply.Entries, func(r store.EnqueueResult) bool { return r.Err == nil && !r.Duplicate })
}

func (p *producer) enqueued() (reply store.EnqueueReply) {
	if p != nil {
		reply = p.Reply.Enqueued
	}
	return reply
}

// accepting finds a run that takes tasks and holds.
func (s *state) accepting(id store.RunID) (*run, error) {
	r, err := s.run(id)
	if err != nil {
		return nil, err
	}
	switch r.Status {
	case statuses.Starting, statuses.Running:
		return r, nil
	case statuses.Stopping, statuses.Stopped:
		return nil, store.ErrJobStopped
	}
	return nil, store.ErrRunFinished
}
