package syncjob

import (
	"context"

	"github.com/rollcall-go/rollcall/store"
	"github.com/rollcall-go/rollcall/store/verdicts"
	"github.com/rollcall-go/rollcall/syncjob/observe"
)

// enqueuedStore tells an observer of the tasks that calls of a store add to runs. It stands only
// where an observer wants that, so nobody else pays for it. Of a root task the journal tells.
type enqueuedStore struct {
	store.Store
	tell func(context.Context, observe.Enqueue)
}

// SignalsAreComplete passes the power on. It is the store's own.
func (s *enqueuedStore) SignalsAreComplete() bool { return store.SignalsAreComplete(s.Store) }

// additions are what one call adds, by lane. They keep the order in which the lanes were named.
type additions struct {
	lanes  []store.Lane
	events map[store.Lane]*observe.Enqueue
}

func (a *additions) of(run store.RunID, route store.Route) *observe.Enqueue {
	lane := store.Lane{Run: run, Route: route}
	e := a.events[lane]
	if e == nil {
		e = &observe.Enqueue{Job: run.Job, Run: run.Number, Set: route.Set, Kind: route.Kind, Queue: route.Queue}
		if a.events == nil {
			a.events = make(map[store.Lane]*observe.Enqueue)
		}
		a.events[lane] = e
		a.lanes = append(a.lanes, lane)
	}
	return e
}

func (s *enqueuedStore) tellAll(ctx context.Context, a *additions) {
	for _, lane := range a.lanes {
		s.tell(ctx, *a.events[lane])
	}
}

// Enqueue implements [store.Producers].
func (s *enqueuedStore) Enqueue(ctx context.Context, p store.EnqueueParams) (store.EnqueueReply, error) {
	reply, err := s.Store.Enqueue(ctx, p)
	if err != nil {
		return reply, err
	}
	var a additions
	for i, r := range reply.Entries {
		if r.Err != nil || i >= len(p.Entries) {
			continue
		}
		e := a.of(p.Entries[i].Run, p.Entries[i].Item.Route)
		if r.Duplicate {
			e.Duplicates++
		} else {
			e.Tasks++
		}
	}
	s.tellAll(ctx, &a)
	return reply, nil
}

// Settle implements [store.Sessions].
func (s *enqueuedStore) Settle(ctx context.Context, p store.SettleParams) (store.SettleReply, error) {
	reply, err := s.Store.Settle(ctx, p)
	if err != nil {
		return reply, err
	}
	without := make(map[int]bool)
	for _, i := range reply.Lost {
		without[i] = true
	}
	for _, r := range reply.Refused {
		without[r.Index] = true
	}
	var a additions
	for i := range p.Outcomes {
		o := &p.Outcomes[i]
		if o.Verdict != verdicts.Success || without[i] {
			continue
		}
		for k := range o.Children {
			a.of(o.Lease.Lane.Run, o.Children[k].Route).Tasks++
		}
		for _, staged := range o.Staged {
			a.of(o.Lease.Lane.Run, staged.Route).Tasks += staged.Count
		}
	}
	s.tellAll(ctx, &a)
	return reply, nil
}
