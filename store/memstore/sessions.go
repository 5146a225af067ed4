package memstore

import (
	"context"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/rollcall-go/rollcall/store"
	"github.com/rollcall-go/rollcall/store/bounds"
	"github.com/rollcall-go/rollcall/store/rules"
	"github.com/rollcall-go/rollcall/store/signals"
)

// session is a worker's registration, with everything that it holds. After its lease has ended, the
// session stays complete until a sweep closes it. Only the removal takes the tasks away, not the
// time. So a late heartbeat can keep the session, but no task is ever held twice.
type session struct {
	id             store.SessionID
	worker         store.WorkerInfo
	lease          time.Duration
	expires        time.Time
	heard          time.Time // when it was opened or had its last heartbeat
	graced         bool      // extended after a jump of the clock, with no heartbeat since
	running        []store.RunningTask
	configurations map[string]int64
	reports        map[int64][]store.RunningTask // reports of progress that it shows in runs, by run number

	fetched int64            // number of the last fetch that delivered tasks
	batches map[int64]*batch // by fetch number
	held    int
	asked   int // of those, how many are to be cancelled

	settled     int64 // number of the last settlement
	settleReply store.SettleReply
}

// batch is what one fetch delivered.
type batch struct {
	holdings []holding // by Lease.Index
	live     int
}

// holding is one leased task. After it is settled, it is zero.
type holding struct {
	lane    *lane // nil after it was settled
	task    store.Task
	tallied bool // its run counts it by kind
	asked   bool // it is to be cancelled
	staged  map[store.Route]*staged
}

func (s *session) leaseOf(h *holding, fetch int64, index int) store.Lease {
	return store.Lease{
		Session: s.id.ID,
		Lane:    store.Lane{Run: h.lane.run.rec.ID, Route: h.lane.route},
		Fetch:   fetch,
		Index:   index,
		Tallied: h.tallied,
	}
}

// find returns the holding of a lease, or nil if it is not held.
func (s *session) find(l store.Lease) *holding {
	b := s.batches[l.Fetch]
	if l.Session != s.id.ID || b == nil || l.Index < 0 || l.Index >= len(b.holdings) {
		return nil
	}
	h := &b.holdings[l.Index]
	if h.lane == nil || h.lane.run.rec.ID != l.Lane.Run || h.lane.route != l.Lane.Route || h.tallied != l.Tallied {
		return nil
	}
	return h
}

// redeem takes a holding out of the session. It succeeds once for each lease.
func (s *session) redeem(l store.Lease) (holding, bool) {
	h := s.find(l)
	if h == nil {
		return holding{}, false
	}
	taken := *h
	*h = holding{}
	s.held--
	if taken.asked {
		s.asked--
	}
	b := s.batches[l.Fetch]
	if b.live--; b.live == 0 {
		delete(s.batches, l.Fetch)
	}
	return taken, true
}

// each visits the holdings of the session, oldest fetch first.
func (s *session) each(visit func(fetch int64, index int, h *holding)) {
	numbers := make([]int64, 0, len(s.batches))
	for n := range s.batches {
		numbers = append(numbers, n)
	}
	slices.Sort(numbers)
	for _, n := range numbers {
		s.batches[n].each(func(i int, h *holding) { visit(n, i, h) })
	}
}

func (b *batch) each(visit func(index int, h *holding)) {
	for i := range b.holdings {
		if b.holdings[i].lane != nil {
			visit(i, &b.holdings[i])
		}
	}
}

// behind reports whether the store has lost the session, or calls that it had answered.
func (s *session) behind(a store.Answered) bool {
	return s == nil || s.fetched < a.Fetched || s.settled < a.Settled
}

func (s *session) extend(now time.Time) { s.expires, s.heard, s.graced = now.Add(s.lease), now, false }

// grace extends the lease after a jump of the clock. It does so once until the next heartbeat, so
// that a dead session ends even if sweeps are rare.
func (s *session) grace(now time.Time) {
	if !s.graced {
		s.expires, s.graced = now.Add(s.lease), true
	}
}

// OpenSession registers a session. Its lease lasts for the given time, unless Heartbeat extends it.
func (s *backend) OpenSession(
	ctx context.Context, id store.SessionID, info store.WorkerInfo, lease time.Duration,
) error {
	part, err := s.at(ctx, id.Partition)
	if err != nil {
		return err
	}
	defer part.unlock()
	sess := part.sessions[id.ID]
	switch {
	case sess == nil:
		sess = &session{id: id, worker: copyWorker(info), batches: map[int64]*batch{}}
		part.sessions[id.ID] = sess
	case sess.fetched > 0:
		return store.ErrStale
	default:
		info.Status = sess.worker.Status
	}
	sess.worker, sess.settled, sess.settleReply = copyWorker(info), 0, store.SettleReply{}
	sess.lease = lease
	sess.extend(part.now())
	part.signal(store.Signal{Type: signals.Workers})
	return nil
}

// Heartbeat extends the session's lease and reads the states of runs.
func (s *backend) Heartbeat(ctx context.Context, p store.HeartbeatParams) (store.HeartbeatReply, error) {
	part, err := s.at(ctx, p.Session.Partition)
	if err != nil {
		return store.HeartbeatReply{}, err
	}
	defer part.unlock()
	sess := part.sessions[p.Session.ID]
	if sess.behind(p.Answered) {
		return store.HeartbeatReply{}, store.ErrLeaseLost
	}
	now := part.now()
	sess.lease, sess.running = p.Lease, slices.Clone(p.Running)
	sess.configurations = maps.Clone(p.Configurations)
	sess.extend(now)
	part.report(sess, rules.Reporting(slices.DeleteFunc(slices.Clone(p.Running), func(t store.RunningTask) bool {
		_, err := part.run(t.Run)
		return err != nil
	})))
	reply := store.HeartbeatReply{
		Now:      now,
		NextDue:  part.nextDue(),
		Held:     sess.held,
		Runs:     make([]store.RunSignal, len(p.Runs)),
		SweepDue: part.sweepDue(now),
		Pauses:   part.pauses.Version,
		Status:   sess.worker.Status,
	}
	if sess.asked > 0 {
		sess.each(func(fetch int64, index int, h *holding) {
			if h.asked {
				reply.Cancelled = append(reply.Cancelled, sess.leaseOf(h, fetch, index))
			}
		})
	}
	for i, id := range p.Runs {
		reply.Runs[i].Run = id
		if r, err := part.run(id); err == nil {
			reply.Runs[i].Status, reply.Runs[i].Graceful, reply.Runs[i].Configured = r.rec.Status, r.rec.Graceful, r.configuration.version
			reply.Runs[i].Overdue = r.overdue
		}
	}
	return reply, nil
}

// Held lists every delivery that the store holds for the session, oldest fetch first.
func (s *backend) Held(ctx context.Context, id store.SessionID, except map[store.Lease]bool) ([]store.Delivery, error) {
	part, err := s.at(ctx, id.Partition)
	if err != nil {
		return nil, err
	}
	defer part.unlock()
	sess := part.sessions[id.ID]
	if sess == nil {
		return nil, store.ErrLeaseLost
	}
	var deliveries []store.Delivery
	page := newPage()
	sess.each(func(fetch int64, index int, h *holding) {
		lease := sess.leaseOf(h, fetch, index)
		if len(deliveries) < bounds.MaxBatch && !except[lease] && page.fits(taskBytes(&h.task)) {
			deliveries = append(
				deliveries, store.Delivery{Lease: lease, Task: copyTask(h.task), Staged: h.listStaged()},
			)
		}
	})
	return deliveries, nil
}

// CloseSession ends a session. Deliveries it still holds go back to waiting as
// after a crash.
func (s *backend) CloseSession(ctx context.Context, id store.SessionID) error {
	part, err := s.at(ctx, id.Partition)
	if err != nil {
		return err
	}
	defer part.unlock()
	if sess := part.sessions[id.ID]; sess != nil {
		part.reclaim(sess, part.now())
	}
	return nil
}

// SetWorkerStatus gives a session a status.
func (s *backend) SetWorkerStatus(ctx context.Context, p store.WorkerStatusParams) error {
	part, err := s.at(ctx, p.Session.Partition)
	if err != nil {
		return err
	}
	defer part.unlock()
	sess := part.sessions[p.Session.ID]
	if sess == nil {
		return store.ErrLeaseLost
	}
	if sess.worker.Status != p.Status {
		sess.worker.Status = p.Status
		action, subject := p.Audited()
		part.note(ctx, action, store.RunID{}, subject, "")
	}
	part.signal(store.Signal{Type: signals.Worker, Session: p.Session.ID})
	return nil
}

// LiveSessions lists the sessions of a partition in the order of their IDs.
func (s *backend) LiveSessions(ctx context.Context, partition int) ([]store.SessionRecord, error) {
	part, err := s.at(ctx, partition)
	if err != nil {
		return nil, err
	}
	defer part.unlock()
	records := make([]store.SessionRecord, 0, len(part.sessions))
	for _, sess := range part.sessions {
		records = append(records, store.SessionRecord{
			ID:             sess.id.ID,
			Partition:      part.index,
			Worker:         copyWorker(sess.worker),
			Expires:        sess.expires,
			Overdue:        part.now().After(sess.expires),
			Held:           sess.held,
			Running:        slices.Clone(sess.running),
			Configurations: maps.Clone(sess.configurations),
		})
	}
	slices.SortFunc(records, func(a, b store.SessionRecord) int { return strings.Compare(a.ID, b.ID) })
	return records, nil
}

// LostSessions lists what is kept of sessions that were not heard from.
func (s *backend) LostSessions(ctx context.Context, partition int) ([]store.LostSession, error) {
	part, err := s.at(ctx, partition)
	if err != nil {
		return nil, err
	}
	defer part.unlock()
	return rules.StillLost(part.lost, part.now()), nil
}
