package filestore

import (
	"cmp"
	"context"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/rollcall-go/rollcall/store"
	"github.com/rollcall-go/rollcall/store/bounds"
	"github.com/rollcall-go/rollcall/store/rules"
	"github.com/rollcall-go/rollcall/store/signals"
	"github.com/rollcall-go/rollcall/store/statuses"
)

// session finds a session that has seen all that its worker was answered.
func (s *state) session(id store.SessionID, a store.Answered) (*session, error) {
	sess := s.Sessions[id.ID]
	if sess == nil || sess.Fetched < a.Fetched || sess.Settled < a.Settled {
		return nil, store.ErrLeaseLost
	}
	return sess, nil
}

// OpenSession registers a session.
func (b *backend) OpenSession(
	ctx context.Context, id store.SessionID, info store.WorkerInfo, lease time.Duration,
) error {
	return do(ctx, b, info, func(s *state, info store.WorkerInfo) error {
		sess := &session{Worker: info, Lease: lease, Expires: s.now.Add(lease), Heard: s.now}
		if was := s.Sessions[id.ID]; was != nil {
			if was.Fetched > 0 {
				return store.ErrStale
			}
			sess.Running, sess.Configurations = was.Running, was.Configurations
			sess.Worker.Status = was.Worker.Status
		}
		s.Sessions[id.ID] = sess
		return nil
	})
}

// Heartbeat extends the session's lease and reads the states of runs.
func (b *backend) Heartbeat(ctx context.Context, p store.HeartbeatParams) (store.HeartbeatReply, error) {
	return change(ctx, b, p, (*state).heartbeat)
}

func (s *state) heartbeat(p store.HeartbeatParams) (store.HeartbeatReply, error) {
	sess, err := s.session(p.Session, p.Answered)
	if err != nil {
		return store.HeartbeatReply{}, err
	}
	sess.Lease, sess.Expires, sess.Heard = p.Lease, s.now.Add(p.Lease), s.now
	sess.Graced, sess.Running, sess.Configurations = false, p.Running, p.Configurations
	reply := store.HeartbeatReply{
		Now: s.now, NextDue: s.nextDue(), Held: len(s.deliveries(p.Session.ID)), SweepDue: s.sweepDue(),
		Pauses: s.Pauses.Version, Status: sess.Worker.Status,
	}
	for _, r := range s.Runs {
		for _, t := range r.Tasks {
			if t.Asked && t.Lease.Session == p.Session.ID {
				reply.Cancelled = append(reply.Cancelled, t.Lease)
			}
		}
	}
	for _, id := range p.Runs {
		signal := store.RunSignal{Run: id}
		if r, err := s.run(id); err == nil {
			signal.Status, signal.Graceful, signal.Configured = r.Status, r.Graceful, r.Document.Version
			signal.Overdue = r.Overdue
		}
		reply.Runs = append(reply.Runs, signal)
	}
	return reply, nil
}

// reporting lists the running tasks of a run that report progress.
func (s *state) reporting(r *run) (all []store.RunningTask) {
	if r.Status != statuses.Running && r.Status != statuses.Stopping {
		return nil
	}
	for _, id := range slices.Sorted(maps.Keys(s.Sessions)) {
		mine := slices.DeleteFunc(slices.Clone(s.Sessions[id].Running), func(t store.RunningTask) bool {
			return t.Run != r.ID
		})
		all = append(all, rules.Reporting(mine)[r.ID.Number]...)
	}
	all = all[:min(len(all), bounds.MaxReporting)]
	rules.SortRunning(all)
	return all
}

// deliveries lists what a session holds, in the order in which it was delivered.
func (s *state) deliveries(session string) (all []store.Delivery) {
	for _, r := range s.Runs {
		for _, t := range r.Tasks {
			if t.Place == held && t.Lease.Session == session {
				all = append(all, store.Delivery{Lease: t.Lease, Task: t.Task, Configured: r.Document.Version})
			}
		}
	}
	slices.SortFunc(all, func(a, b store.Delivery) int {
		return cmp.Or(cmp.Compare(a.Lease.Fetch, b.Lease.Fetch), cmp.Compare(a.Lease.Index, b.Lease.Index))
	})
	return all
}

// Held lists deliveries that a session holds, with what each has staged.
func (b *backend) Held(ctx context.Context, id store.SessionID, except map[store.Lease]bool) ([]store.Delivery, error) {
	return read(ctx, b, id, func(s *state, id store.SessionID) (page []store.Delivery, err error) {
		if s.Sessions[id.ID] == nil {
			return nil, store.ErrLeaseLost
		}
		left := bounds.PageBytes
		for _, d := range s.deliveries(id.ID) {
			if except[d.Lease] {
				continue
			}
			if len(page) == bounds.MaxBatch || len(page) > 0 && taskSize(&d.Task) > left {
				break
			}
			left -= taskSize(&d.Task)
			d.Configured, d.Staged = 0, s.staged(d.Lease)
			page = append(page, d)
		}
		return page, nil
	})
}

// staged counts what a delivery has staged, by route.
func (s *state) staged(l store.Lease) (all []store.Staged) {
	r, err := s.run(l.Lane.Run)
	if err != nil {
		return nil
	}
	for _, t := range r.Tasks {
		if t.Place == staged && t.Lease == l {
			st := find(&all, func(st *store.Staged) bool { return st.Route == t.Route })
			st.Route, st.Count = t.Route, st.Count+1
		}
	}
	return all
}

// CloseSession ends a session.
func (b *backend) CloseSession(ctx context.Context, id store.SessionID) error {
	return do(ctx, b, id, func(s *state, id store.SessionID) error {
		s.reclaim(id.ID)
		return nil
	})
}

// reclaim ends a session, and gives back what it held: as recovered tasks, since any of them may
// have killed the worker. Only a task that ran as the one recovered task of its session is charged
// with that (P15). What they had staged is gone (P4).
func (s *state) reclaim(session string) (given int) {
	said := s.said(session)
	delete(s.Sessions, session)
	for _, r := range slices.Clone(s.Runs) {
		r.drop(func(t *task) bool { return t.Place == staged && t.Lease.Session == session })
		for _, t := range slices.Clone(r.Tasks) {
			if t.Place != held || t.Lease.Session != session {
				continue
			}
			given++
			if t.Route.Counted() {
				s.figures(t.Route).Other++
			}
			if t.Asked || !r.awaits(t.Route) { // it was cancelled or stopped
				r.drop(func(other *task) bool { return other == t })
				if t.Route.Counted() {
					r.Counts.Cancelled++
					r.ended(t.Task, s.now)
				}
				s.conclude(r)
				continue
			}
			t.Task = t.Task.Reclaimed(said, r.ID, s.now)
			t.Place, t.Lease = recovered, store.Lease{}
		}
	}
	return given
}

// said is what a session told of its worker and of what this runs.
func (s *state) said(session string) *store.SessionRecord {
	said := &store.SessionRecord{ID: session}
	if sess := s.Sessions[session]; sess != nil {
		said.Worker, said.Running = sess.Worker, sess.Running
	}
	return said
}

// SetWorkerStatus gives a session a status.
func (b *backend) SetWorkerStatus(ctx context.Context, p store.WorkerStatusParams) error {
	return do(ctx, b, p, func(s *state, p store.WorkerStatusParams) error {
		sess := s.Sessions[p.Session.ID]
		if sess == nil {
			return store.ErrLeaseLost
		}
		if sess.Worker.Status != p.Status {
			sess.Worker.Status = p.Status
			action, subject := p.Audited()
			s.audits(ctx, action, store.RunID{}, subject, "")
		}
		s.hints = append(s.hints, store.Signal{Type: signals.Worker, Session: p.Session.ID})
		return nil
	})
}

// LiveSessions lists the sessions.
func (b *backend) LiveSessions(ctx context.Context, partition int) ([]store.SessionRecord, error) {
	return read(ctx, b, partition, func(s *state, partition int) (all []store.SessionRecord, err error) {
		for _, id := range slices.Sorted(maps.Keys(s.Sessions)) {
			sess := s.Sessions[id]
			all = append(all, store.SessionRecord{
				ID: id, Partition: partition, Worker: sess.Worker, Expires: sess.Expires,
				Overdue: s.now.After(sess.Expires), Held: len(s.deliveries(id)), Running: sess.Running,
				Configurations: sess.Configurations,
			})
		}
		return all, nil
	})
}

// LostSessions lists what is kept of sessions that were not heard from.
func (b *backend) LostSessions(ctx context.Context, _ int) ([]store.LostSession, error) {
	return read(ctx, b, 0, func(s *state, _ int) ([]store.LostSession, error) {
		return rules.StillLost(s.Lost, s.now), nil
	})
}

// SessionsLeft counts the sessions whose IDs begin with prefix. What one held is given back when it
// ends.
func (b *backend) SessionsLeft(ctx context.Context, _ int, prefix string) (int, error) {
	return read(ctx, b, prefix, func(s *state, prefix string) (n int, err error) {
		for id := range s.Sessions {
			if strings.HasPrefix(id, prefix) {
				n++
			}
		}
		return n, nil
	})
}

// Reconsider only signals the work: here fetches look at every run.
func (b *backend) Reconsider(ctx context.Context, _ int, routes []store.Route) error {
	return do(ctx, b, routes, func(s *state, routes []store.Route) error {
		for _, r := range routes {
			s.hints = append(s.hints, store.Signal{Type: signals.Work, Queue: r.Queue})
		}
		return nil
	})
}
