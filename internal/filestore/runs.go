package filestore

import (
	"cmp"
	"context"
	"slices"
	"strconv"
	"time"

	"github.com/rollcall-go/rollcall/store"
	"github.com/rollcall-go/rollcall/store/actions"
	"github.com/rollcall-go/rollcall/store/statuses"
)

// started is the run of a job that was started with the token; nil if there is none.
func (s *state) started(job, token string) *run {
	for _, r := range s.runs(job) {
		if r.Token == token {
			return r
		}
	}
	return nil
}

// StartRun begins a run.
func (b *backend) StartRun(ctx context.Context, p store.StartParams) (store.StartReply, error) {
	return change(ctx, b, p, func(s *state, p store.StartParams) (store.StartReply, error) {
		reply, err := s.startRun(p)
		if subject, ok := p.Audited(ctx); ok && err == nil && !reply.Existing {
			s.audits(ctx, actions.Start, reply.Run, subject, "")
		}
		return reply, err
	})
}

func (s *state) startRun(p store.StartParams) (store.StartReply, error) {
	if r := s.started(p.Job, p.Token); r != nil {
		return store.StartReply{Run: r.ID, Existing: true}, nil
	}
	j := s.Jobs[p.Job]
	declared := j != nil && j.declared()
	exists := &store.JobExistsError{Active: store.RunID{Job: p.Job}}
	if r := s.active(p.Job); r != nil {
		exists.Active = r.ID
	}
	switch {
	case p.Declared && !declared:
		return store.StartReply{}, store.ErrJobNotFound
	case declared && !p.Declared:
		exists.Declared = j.Type
		return store.StartReply{}, exists
	case p.Declared && j.Disabled:
		return store.StartReply{}, store.ErrJobDisabled
	case exists.Active.Number != 0:
		return store.StartReply{}, exists
	case j == nil:
		j = s.addJob(p.Job)
	}
	return store.StartReply{Run: s.start(j, p).ID}, nil
}

// start makes a run. It is not ended here if it has nothing to do: it is open then.
func (s *state) start(j *job, p store.StartParams) *run {
	r := &run{
		RunRecord: store.RunRecord{
			ID: store.RunID{Job: j.Name, Number: s.next()}, Set: p.Set, Args: p.Args, Headers: p.Headers, Labels: p.Labels,
			Status: statuses.Running, Weight: p.Weight, Created: s.now, Retention: p.Retention, Due: p.Due,
			RedriveOf: p.RedriveOf, OnFailure: p.OnFailure,
		},
		Token: p.Token, OpenHolds: map[string]store.HoldRecord{}, FailureCap: p.FailureCap, IdleAfter: p.IdleAfter(),
		StopIdle: p.StopAfter > 0, Touched: s.now, Served: map[string]float64{}, Values: values{}, Numbers: values{},
	}
	if p.Deadline > 0 {
		r.Deadline = store.DueTime(s.now.Add(p.Deadline))
	}
	s.Runs = append(s.Runs, r)
	j.LastRun = r.ID.Number
	if p.Configuration != nil {
		r.Document = document{Version: 1, Body: p.Configuration}
	}
	if p.Open {
		r.hold(store.HoldChange{Name: store.HoldOpen}, s.now)
	}
	if p.Root != nil {
		r.Root = p.Root.Route
		s.admit(r, *p.Root)
	}
	if p.PreJob != nil {
		r.Status = statuses.Starting
		for _, t := range r.Tasks {
			t.Place = aside
		}
		r.add(*p.PreJob, s.now)
	}
	if p.PostJob != nil {
		r.Tasks = append(r.Tasks, &task{Item: *p.PostJob, Place: aside})
	}
	return r
}

// begin lets the tasks of a run be delivered, after its pre-job hook has passed. From now on its
// root waits for its delay.
func (s *state) begin(r *run) (ended bool) {
	r.Status, r.HookPassed = statuses.Running, s.now
	for i, t := range r.Tasks {
		if t.Place == aside && t.Route.Counted() {
			r.Tasks = slices.Delete(r.Tasks, i, i+1)
			r.add(t.Item, s.now)
			break
		}
	}
	return s.conclude(r)
}

// held reports whether only its failures keep the run from its end.
func (r *run) held() bool {
	c := r.counts()
	return r.Status == statuses.Running && c.Remaining() == 0 && len(r.OpenHolds) == 0 && r.Failing()
}

// conclude moves a run on if nothing is left of it to do, and reports whether it has ended, but for
// its post-job hook. A run leaves StatusRunning here, once.
func (s *state) conclude(r *run) (ended bool) {
	c := r.counts()
	switch {
	case r.Status == statuses.Stopping && c.Running == 0:
		r.Stopped = true
		s.end(r, statuses.Stopped)
		return true
	case r.Status != statuses.Running || c.Remaining() > 0 || len(r.OpenHolds) > 0 || r.Failing():
		return false
	}
	outcome := statuses.Succeeded
	if c.Failed > 0 {
		outcome = statuses.Failed
	}
	for _, t := range r.Tasks {
		if t.Place == aside { // the post-job hook
			r.Status, r.FinalStatus, r.Ended = statuses.Finishing, outcome, s.now
			r.Tasks, r.Kept = []*task{{Item: t.Item, Place: waiting}}, nil
			return true
		}
	}
	s.end(r, outcome)
	return true
}

// end records the final state. What is left is the summary and the failures, and a hook that is
// held until its worker settles it.
func (s *state) end(r *run, status statuses.Status) {
	r.Status, r.FinalStatus, r.RetryError, r.Paused = status, "", "", false
	r.drop(func(t *task) bool { return t.Place != held })
	r.OpenHolds, r.Kept, r.Served = nil, nil, nil
	if r.Ended.IsZero() {
		r.Ended = s.now
	}
	r.Expires = s.now.Add(r.Retention)
}

// cancel counts all that waits as cancelled, and forgets it.
func (r *run) cancel() {
	c := r.counts()
	r.Counts.Cancelled += c.Pending + c.Delayed
	r.drop(func(t *task) bool { return t.Place != held && t.Place != staged })
	r.OpenHolds, r.Kept = nil, nil
}

// hold opens or closes a named hold.
func (r *run) hold(h store.HoldChange, now time.Time) {
	if h.Close {
		delete(r.OpenHolds, h.Name)
		return
	}
	rec, open := r.OpenHolds[h.Name]
	if !open {
		rec = store.HoldRecord{Name: h.Name, Since: now}
		if h.Name == store.HoldOpen {
			r.Touched = now
		}
	}
	rec.Mark = cmp.Or(h.Mark, rec.Mark)
	r.OpenHolds[h.Name] = rec
}

// record is the run as it is told.
func (s *state) record(r *run) store.RunRecord {
	rec := r.RunRecord
	rec.Counts, rec.Holds, rec.Reporting = r.counts(), int64(len(r.OpenHolds)), s.reporting(r)
	for name, v := range r.Numbers {
		if rec.Counters == nil {
			rec.Counters = map[string]int64{}
		}
		rec.Counters[name], _ = strconv.ParseInt(string(v.Data), 10, 64)
	}
	return rec
}

// Run reads one run.
func (b *backend) Run(ctx context.Context, id store.RunID) (store.RunRecord, error) {
	return read(ctx, b, id, func(s *state, id store.RunID) (rec store.RunRecord, err error) {
		r, err := s.run(id)
		if err == nil {
			rec = s.record(r)
		}
		return rec, err
	})
}

// StopRun stops a run.
func (b *backend) StopRun(ctx context.Context, p store.StopParams) error {
	return do(ctx, b, p, func(s *state, p store.StopParams) error {
		r, err := s.run(p.Run)
		switch {
		case err != nil:
			return err
		case r.Stopped:
			return nil
		case r.Status.Final():
			return store.ErrRunFinished
		}
		if p.Changes(&r.RunRecord) {
			s.audits(ctx, actions.Stop, p.Run, "", p.Reason)
		}
		s.stop(r, p.Reason, p.Graceful)
		return nil
	})
}

// stop stops an active run, and reports whether it has ended.
func (s *state) stop(r *run, reason string, graceful bool) (ended bool) {
	switch r.Status {
	case statuses.Stopping:
		r.Graceful = r.Graceful && graceful
		return false
	case statuses.Finishing:
		if r.HookError, r.Stopped = "stopped", true; r.Overdue {
			r.HookError, r.Stopped = reason, false
		}
		s.end(r, r.FinalStatus)
		return true
	}
	r.Status, r.Reason, r.Graceful, r.Paused = statuses.Stopping, reason, graceful, false
	r.StopBegan = s.now
	r.cancel()
	return s.conclude(r)
}

// SetRunPaused stops or allows deliveries of the run's tasks and hooks.
func (b *backend) SetRunPaused(ctx context.Context, id store.RunID, paused bool) error {
	return do(ctx, b, id, func(s *state, id store.RunID) error {
		r, err := s.run(id)
		switch {
		case err != nil:
			return err
		case r.Status.Final() || r.Status == statuses.Stopping:
			return store.ErrRunFinished
		case r.Paused != paused:
			s.audits(ctx, actions.PauseOrResume(paused), id, "", "")
		}
		r.Paused = paused
		return nil
	})
}

// taskSize is how many bytes of a task its caller chose.
func taskSize(t *store.Task) int { return len(t.ID) + len(t.Payload) + len(t.Attributes) }

// DeleteRun removes a run that has ended.
func (b *backend) DeleteRun(ctx context.Context, id store.RunID) error {
	return do(ctx, b, id, func(s *state, id store.RunID) error {
		r, err := s.run(id)
		switch {
		case err != nil:
			return err
		case !r.Status.Final():
			return store.ErrRunActive
		}
		s.forget(r)
		s.audits(ctx, actions.Delete, id, "", "")
		return nil
	})
}
