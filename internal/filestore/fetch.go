package filestore

import (
	"context"
	"slices"

	"github.com/rollcall-go/rollcall/store"
	"github.com/rollcall-go/rollcall/store/bounds"
	"github.com/rollcall-go/rollcall/store/statuses"
)

// Fetch leases tasks.
func (b *backend) Fetch(ctx context.Context, p store.FetchParams) (store.FetchReply, error) {
	return change(ctx, b, p, (*state).fetch)
}

func (s *state) fetch(p store.FetchParams) (store.FetchReply, error) {
	sess, err := s.session(p.Session, p.Answered)
	switch {
	case err != nil:
		return store.FetchReply{}, err
	case p.Number < sess.Fetched:
		return store.FetchReply{}, store.ErrStale
	}
	reply := store.FetchReply{Now: s.now, NextDue: s.nextDue(), Pauses: s.Pauses.Version}
	if p.Number > sess.Fetched && sess.Worker.Status == statuses.WorkerActive {
		f := &fetching{state: s, p: &p, bytes: p.MaxBytes}
		if f.bytes == 0 {
			f.bytes = bounds.PageBytes
		}
		f.all()
		reply.Short = f.short()
		if f.taken > 0 { // a fetch that delivers nothing does not use up its number
			sess.Fetched = p.Number
		}
	}
	for _, d := range s.deliveries(p.Session.ID) {
		if d.Lease.Fetch == p.Number {
			reply.Deliveries = append(reply.Deliveries, d)
		}
	}
	return reply, nil
}

// fetching is one fetch.
type fetching struct {
	*state
	p     *store.FetchParams // its budgets are used up as it goes on
	taken int
	bytes int // of payloads that may still come
}

// turn is a run that has a turn in a queue, with its tasks that may be next.
type turn struct {
	run   *run
	tasks []*task
}

func (f *fetching) all() {
	for i, b := range f.p.Budgets {
		if !b.Until.IsZero() && !f.now.Before(b.Until) {
			f.p.Budgets[i].Left = 0
		}
	}
	one := f.p.Recovered
	for _, q := range f.p.Queues {
		// A recovered task comes before all others: it never hurt anybody to wait for those.
		if one && f.next(f.turns(q, recovered), q.Queue) {
			one = false
		}
		for turns := f.turns(q, waiting); f.next(turns, q.Queue); {
		}
	}
}

// turns lists the runs that have tasks of the queue in the place.
func (f *fetching) turns(q store.FetchQueue, in place) (turns []*turn) {
	for _, r := range f.Runs {
		t := &turn{run: r}
		for _, tk := range r.Tasks {
			if tk.Place == in && r.delivers(tk) && slices.Contains(q.Routes, tk.Route) && f.serves(tk.Route) {
				t.tasks = append(t.tasks, tk)
			}
		}
		if len(t.tasks) > 0 {
			turns = append(turns, t)
		}
	}
	return turns
}

// serves reports whether tasks of a route are not paused.
func (f *fetching) serves(r store.Route) bool { return len(f.Pauses.Covering(r, f.p.InReadOnly)) == 0 }

// next leases the next task of a queue, and reports whether it did.
//
// Runs take turns by virtual time. That of a run goes on by 1/weight with each task, and the one
// that is behind is next. Nobody saves up turns: one that had nothing to do goes on from the clock
// of the queue, which is the virtual time of the run that was served last.
func (f *fetching) next(turns []*turn, queue string) bool {
	var best *turn
	for _, t := range turns {
		for len(t.tasks) > 0 && !f.allows(t.run, t.tasks[0].Route) {
			t.tasks = t.tasks[1:]
		}
		if len(t.tasks) > 0 && (best == nil || t.run.Served[queue] < best.run.Served[queue]) {
			best = t
		}
	}
	if best == nil || f.taken == f.p.Max || f.taken > 0 && len(best.tasks[0].Task.Payload) > f.bytes {
		return false
	}
	r, t := best.run, best.tasks[0]
	best.tasks = best.tasks[1:]
	f.Clocks[queue] = max(f.Clocks[queue], r.Served[queue])
	r.Served[queue] = f.Clocks[queue] + 1/r.Weight
	f.lease(r, t)
	return true
}

func (f *fetching) lease(r *run, t *task) {
	t.Place = held
	t.Lease = store.Lease{
		Session: f.p.Session.ID, Lane: store.Lane{Run: r.ID, Route: t.Route}, Fetch: f.p.Number, Index: f.taken,
		Tallied: f.p.Tallies(t.Route),
	}
	f.taken++
	f.bytes -= len(t.Task.Payload)
	for i := range f.p.Budgets {
		if f.p.Budgets[i].Scope.Covers(t.Route) {
			f.p.Budgets[i].Left--
		}
	}
	if t.Route.Counted() && r.Started.IsZero() {
		r.Started = f.now
	}
}

// allows reports whether the budgets of the fetch and the limits of the run leave room for a task.
func (f *fetching) allows(r *run, route store.Route) bool {
	return f.limitsAllow(r, route) && !slices.ContainsFunc(f.p.Budgets, func(b store.Budget) bool {
		return b.Left < 1 && b.Scope.Covers(route)
	})
}

func (f *fetching) limitsAllow(r *run, route store.Route) bool {
	for _, l := range f.p.PerRun {
		if !l.Scope.Covers(route) {
			continue
		}
		leased := 0
		for _, t := range r.Tasks {
			if t.Place == held && t.Lease.Tallied && l.Scope.Covers(t.Route) {
				leased++
			}
		}
		if leased >= l.Max {
			return false
		}
	}
	return true
}

// short lists the budgets that are used up while more tasks of their scope wait.
func (f *fetching) short() (short []int) {
	waits := func(s store.Scope) bool {
		for _, q := range f.p.Queues {
			for _, t := range slices.Concat(f.turns(q, waiting), f.turns(q, recovered)) {
				for _, tk := range t.tasks {
					if s.Covers(tk.Route) && f.limitsAllow(t.run, tk.Route) {
						return true
					}
				}
			}
		}
		return false
	}
	for i, b := range f.p.Budgets {
		if b.Left < 1 && waits(b.Scope) {
			short = append(short, i)
		}
	}
	return short
}
