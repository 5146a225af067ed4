package memstore

import (
	"bytes"
	"context"
	"maps"
	"time"

	"github.com/rollcall-go/rollcall/store"
	"github.com/rollcall-go/rollcall/store/actions"
	"github.com/rollcall-go/rollcall/store/rules"
	"github.com/rollcall-go/rollcall/store/statuses"
)

// run is one execution of a job.
type run struct {
	job   *job
	rec   store.RunRecord // always complete, so a read only copies it
	token string

	root *store.Item // root task that waits until the pre-job hook has passed
	post *store.Item // post-job hook; enters its lane when the last task has ended, and when it is repeated

	holds    map[string]store.HoldRecord // by name; len is rec.Holds
	claims   claims
	values   values
	results  results
	lanes    map[store.Route]*lane
	accounts map[string]*account // by queue
	tallies  map[kind]int        // number of leased tasks of kinds with a limit
	aside    []*lane             // lanes that wait for such a limit

	reports map[string][]store.RunningTask // tasks that report progress, by session; rec.Reporting lists them

	failures    []store.Failure // kept failures, by place
	buried      int64           // place of the newest failure
	lastFailure time.Time       // when it failed
	failureCap  int

	configuration document // configuration of this run

	idleAfter time.Duration // time without an enqueue after which an open run is sealed or stopped
	stopIdle  bool
	idleEnds  time.Time // when that is, while it is open; otherwise zero
	overdue   bool      // it was stopped at its deadline
	watchedAt int       // position in partition.watched; -1 when absent

	cancellations []rules.Cancellation // the last ones

	stopped bool      // a stop ended it: a repeated stop must have the same answer
	expires time.Time // when the summary of a final run expires
	endedAt int       // position in partition.ended; -1 when absent
}

// StartRun begins a run of p.Job. Its number is the store's clock in microseconds. If that is not
// larger than the last number, it is the last number plus one.
func (s *backend) StartRun(ctx context.Context, p store.StartParams) (store.StartReply, error) {
	part, err := s.of(ctx, p.Job)
	if err != nil {
		return store.StartReply{}, err
	}
	defer part.unlock()

	j := part.jobs[p.Job]
	if j != nil {
		if r := j.tokens[p.Token]; r != nil && p.Token != "" {
			return store.StartReply{Run: r.rec.ID, Existing: true}, nil
		}
	}
	if err := j.refuses(&p); err != nil {
		return store.StartReply{}, err
	}
	if j == nil {
		j = part.addJob(p.Job)
	}
	id := part.addRun(j, p).rec.ID
	if subject, ok := p.Audited(ctx); ok {
		part.note(ctx, actions.Start, id, subject, "")
	}
	return store.StartReply{Run: id}, nil
}

// refuses says why this run of the job cannot begin; nil if it can. The job may be nil.
func (j *job) refuses(p *store.StartParams) error {
	declared := j != nil && j.declared()
	exists := &store.JobExistsError{Active: store.RunID{Job: p.Job}}
	if j != nil && j.active != nil {
		exists.Active = j.active.rec.ID
	}
	switch {
	case p.Declared && !declared:
		return store.ErrJobNotFound
	case declared && !p.Declared:
		exists.Declared = j.rec.Type
		return exists
	case p.Declared && j.rec.Disabled:
		return store.ErrJobDisabled
	case exists.Active.Number != 0:
		return exists
	}
	return nil
}

func (p *partition) addRun(j *job, params store.StartParams) *run {
	now := p.now()
	p.lastNumber = max(p.lastNumber+1, now.UnixMicro())
	r := &run{
		job:   j,
		token: params.Token,
		rec: store.RunRecord{
			ID:        store.RunID{Job: j.rec.Name, Number: p.lastNumber},
			Set:       params.Set,
			Args:      bytes.Clone(params.Args),
			Headers:   maps.Clone(params.Headers),
			Labels:    maps.Clone(params.Labels),
			Status:    statuses.Running,
			Weight:    params.Weight,
			Created:   now,
			Retention: params.Retention,
			Due:       params.Due,
			RedriveOf: params.RedriveOf,
			OnFailure: params.OnFailure,
		},
		post:       copyItemPtr(params.PostJob),
		failureCap: params.FailureCap,
		idleAfter:  params.IdleAfter(),
		stopIdle:   params.StopAfter > 0,
		watchedAt:  -1,
		endedAt:    -1,
	}
	if params.Deadline > 0 {
		before := p.nextDue()
		r.rec.Deadline = store.DueTime(now.Add(params.Deadline))
		p.watch(r, before)
	}
	if params.Configuration != nil {
		r.configuration = document{version: 1, body: bytes.Clone(params.Configuration)}
	}
	p.runs[r.rec.ID.Number], p.active[r.rec.ID.Number] = r, r
	j.runs, j.active, j.rec.LastRun = append(j.runs, r), r, r.rec.ID.Number
	if r.token != "" {
		j.tokens[r.token] = r
	}
	if params.Open {
		p.hold(r, store.HoldOpen, "", now)
	}
	if params.Root != nil {
		r.rec.Root = params.Root.Route
	}
	switch {
	case params.PreJob != nil:
		r.rec.Status = statuses.Starting
		if r.root = copyItemPtr(params.Root); r.root != nil {
			p.ledger.of(r.root.Route).Enqueued++
			r.rec.Counts.Total, r.rec.Counts.Pending = 1, 1
			r.claims.take(r.root.Task, now)
		}
		p.placeHook(r, copyItem(*params.PreJob), now)
	case params.Root != nil:
		p.admit(r, copyItem(*params.Root), now)
	}
	p.turned(r)
	p.changed(j)
	return r
}

// delivers reports whether tasks of the route may be delivered now. A paused run delivers nothing.
// Outside of StatusRunning only the hook that the run waits for is delivered.
func (r *run) delivers(route store.Route) bool {
	switch {
	case r.rec.Paused:
		return false
	case route.Counted():
		return r.rec.Status == statuses.Running
	}
	return r.awaits(route)
}

// awaits reports whether the run is in the state of the route's hook.
func (r *run) awaits(hook store.Route) bool {
	return hook.Kind == store.KindPreJob && r.rec.Status == statuses.Starting ||
		hook.Kind == store.KindPostJob && r.rec.Status == statuses.Finishing
}

// hold opens a named hold.
func (p *partition) hold(r *run, name, mark string, now time.Time) {
	h, ok := r.holds[name]
	if !ok {
		h = store.HoldRecord{Name: name, Since: now}
		if name == store.HoldOpen && r.idleAfter > 0 {
			before := p.nextDue()
			r.idleEnds = now.Add(r.idleAfter)
			p.watch(r, before)
		}
	}
	if mark != "" {
		h.Mark = mark
	}
	if r.holds == nil {
		r.holds = map[string]store.HoldRecord{}
	}
	r.holds[name] = h
	r.rec.Holds = int64(len(r.holds))
}

func (p *partition) unhold(r *run, name string) {
	if name == store.HoldOpen {
		p.closed(r)
	}
	delete(r.holds, name)
	r.rec.Holds = int64(len(r.holds))
}

// Run reads one run atomically.
func (s *backend) Run(ctx context.Context, id store.RunID) (store.RunRecord, error) {
	part, err := s.of(ctx, id.Job)
	if err != nil {
		return store.RunRecord{}, err
	}
	defer part.unlock()
	r, err := part.run(id)
	if err != nil {
		return store.RunRecord{}, err
	}
	return copyRecord(r.rec), nil
}

// SetRunPaused stops or allows deliveries of the run's tasks and hooks. A paused run neither begins
// nor finishes.
func (s *backend) SetRunPaused(ctx context.Context, id store.RunID, paused bool) error {
	part, err := s.of(ctx, id.Job)
	if err != nil {
		return err
	}
	defer part.unlock()
	r, err := part.run(id)
	switch {
	case err != nil:
		return err
	case r.rec.Status.Final() || r.rec.Status == statuses.Stopping:
		return store.ErrRunFinished
	case r.rec.Paused == paused:
		return nil
	}
	r.rec.Paused = paused
	part.note(ctx, actions.PauseOrResume(paused), id, "", "")
	for _, l := range r.lanes {
		if paused {
			part.leaveRing(l)
		} else {
			part.enterRing(l)
		}
	}
	part.turned(r)
	return nil
}

// DeleteRun removes a finished run at once.
func (s *backend) DeleteRun(ctx context.Context, id store.RunID) error {
	part, err := s.of(ctx, id.Job)
	if err != nil {
		return err
	}
	defer part.unlock()
	r, err := part.run(id)
	switch {
	case err != nil:
		return err
	case !r.rec.Status.Final():
		return store.ErrRunActive
	}
	part.forget(r)
	part.note(ctx, actions.Delete, id, "", "")
	return nil
}

// forget removes a final run. With the last run it also removes the job, if that was never
// declared.
func (p *partition) forget(r *run) {
	j := r.job
	delete(p.runs, r.rec.ID.Number)
	delete(p.failing, r.rec.ID.Number)
	delete(p.aging, r.rec.ID.Number)
	p.recent = nil
	if r.endedAt >= 0 {
		p.ended.remove(r.endedAt)
	}
	if r.token != "" {
		delete(j.tokens, r.token)
	}
	j.dropRun(r)
	if r.rec.ID.Number == j.rec.LastRun && r.rec.Changed.After(j.rec.Changed) {
		j.rec.Changed = r.rec.Changed // it stays where it is in listings
	}
	p.changed(j)
	if len(j.runs) == 0 && !j.declared() && !j.rec.Disabled {
		p.removeJob(j)
	}
}
