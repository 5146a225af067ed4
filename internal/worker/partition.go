package worker

import (
	"context"
	"crypto/rand"
	"errors"
	"slices"
	"sync/atomic"
	"time"

	"github.com/rollcall-go/rollcall/internal/lifecycle"
	"github.com/rollcall-go/rollcall/internal/worker/intake"
	"github.com/rollcall-go/rollcall/store"
	"github.com/rollcall-go/rollcall/store/statuses"
	"github.com/rollcall-go/rollcall/syncjob/events"
)

// partition keeps a session open in one partition of the store while the worker fetches. If a
// session is lost, it opens the next.
type partition struct {
	e      *Engine
	index  int
	source *intake.Source
	log    func(ctx context.Context, msg string, args ...any) // at warning level

	session   atomic.Pointer[session] // the latest
	dueMoved  chan struct{}           // capacity 1: the first delayed task is due earlier than before
	schedules Schedules
	pauses    pauses
	status    status
	stale     atomic.Bool // its runs must be looked at again, because limits changed
	heard     moment      // when the store last answered
	clock     Clock
}

func newPartition(e *Engine, index int) *partition {
	p := &partition{
		e:        e,
		index:    index,
		source:   e.intake.Source(index),
		log:      e.log.With("partition", index).WarnContext,
		dueMoved: make(chan struct{}, 1),
	}
	p.pauses = pauses{
		read:       func(ctx context.Context) (store.PauseSet, error) { return e.store.Pauses(ctx, index) },
		giveBack:   func() { e.unload(p.isPaused) },
		inReadOnly: e.inReadOnly,
		bound:      e.cfg.Lease / 3,
		moved:      make(chan struct{}, 1),
	}
	p.pauses.known.Store(&store.PauseSet{})
	p.status.moved = p.statusMoved
	p.status.last.Store(statuses.WorkerActive)
	p.schedules = e.host.Schedules(index, &p.clock)
	p.heard.set(time.Now()) // healthy until a lease has passed without an answer
	return p
}

// run ends when fetching ends. The shutdown ends the last session.
func (p *partition) run(ctx context.Context) {
	select {
	case <-p.e.configured: // so that no attempt goes by the code alone
		p.e.refreshLimits()
	case <-ctx.Done():
		return
	}
	for ctx.Err() == nil {
		s, err := p.open(ctx)
		if err != nil {
			if ctx.Err() == nil {
				p.log(ctx, "cannot open a session", "error", err)
			}
			lifecycle.Pause(ctx, lifecycle.Jitter(reopenWait))
			continue
		}
		if !s.serve(ctx) {
			return
		}
		select {
		case <-s.life.Done():
			<-s.fetched
			s.group.Wait()
			p.e.drawers.Go(func(ctx context.Context) { p.e.redeem(ctx, s) })
			p.log(ctx, events.SessionLost, "session", s.id.ID, "cause", context.Cause(s.life))
			p.abandon(ctx, s)
			// The same cause may end the next session at once.
			lifecycle.Pause(ctx, lifecycle.Jitter(reopenWait))
		case <-ctx.Done():
		}
	}
}

// abandon closes a lost session. The store may still have it, if the server lost acknowledged
// writes. Then closing it gives its tasks to other workers now. Otherwise, or if the call fails,
// they get them when its lease ends.
func (p *partition) abandon(ctx context.Context, s *session) {
	ctx, cancel := context.WithTimeout(ctx, p.e.cfg.Lease/3)
	defer cancel()
	if err := p.e.store.CloseSession(ctx, s.id); err != nil && ctx.Err() == nil {
		p.log(ctx, "cannot close a lost session; its lease will end", "session", s.id.ID, "error", err)
	}
}

func (p *partition) open(ctx context.Context) (*session, error) {
	id := store.SessionID{Partition: p.index, ID: sessionPrefix(p.e.id) + rand.Text()}
	if err := p.e.store.Reconsider(ctx, p.index, p.e.routes); err != nil {
		return nil, err // its limits may differ from those of earlier workers
	}
	if err := p.e.host.Publish(ctx, p.index); err != nil && ctx.Err() == nil {
		p.log(ctx, "cannot publish the handler sets", "error", err)
	}
	info := p.e.cfg.Info
	info.Status = p.status.now()
	if err := p.e.store.OpenSession(ctx, id, info, p.e.cfg.Lease); err != nil {
		return nil, err
	}
	p.heard.set(time.Now())
	s := newSession(p, id)
	p.session.Store(s)
	return s, nil
}

// watchPauses keeps what the worker knows to be paused up to date.
func (p *partition) watchPauses(ctx context.Context) {
	p.pauses.watch(ctx, func(err error) { p.log(ctx, "cannot read what is paused; it is repeated", "error", err) })
}

// isPaused reports whether a task is of the partition and must not begin: its route is paused, or
// the worker is quiet.
func (p *partition) isPaused(t *task) bool {
	return t.session.p == p && (!p.status.active() || p.pauses.covers(t.Delivery.Lease.Lane.Route))
}

// redeem waits until the store has given all tasks of a lost session back. Until then they count as
// running; then it takes them out of the count. It runs until ctx ends.
func (e *Engine) redeem(ctx context.Context, s *session) {
	e.redeeming.Add(1)
	for ctx.Err() == nil {
		if n, err := e.store.SessionsLeft(ctx, s.id.Partition, s.id.ID); err == nil && n == 0 {
			break
		}
		lifecycle.Pause(ctx, lifecycle.Jitter(reopenWait))
	}
	if ctx.Err() != nil {
		return
	}
	e.redeeming.Add(-1)
	e.intake.Redeemed(&s.debt, s.leased)
}

// runMoved brings the next heartbeat forward if a task of the run is held here. So after a stop,
// the handlers are cancelled soon.
func (p *partition) runMoved(number int64) {
	if s := p.session.Load(); s != nil && s.holds(number) {
		lifecycle.Wake(s.beatSoon)
	}
}

// statusMoved acts on another status.
func (p *partition) statusMoved(ctx context.Context, now statuses.WorkerStatus) {
	p.e.log.InfoContext(ctx, events.WorkerStatus, "partition", p.index, "status", string(now))
	p.source.Hold(now != statuses.WorkerActive)
	p.e.unload(p.isPaused)
	p.e.ending.Lock()
	defer p.e.ending.Unlock()
	p.e.intake.End(p.e.draining())
}

// draining reports whether the worker is to end when nothing is left to do.
func (e *Engine) draining() bool {
	return !slices.ContainsFunc(e.partitions, func(p *partition) bool {
		return p.status.now() != statuses.WorkerDraining
	})
}

// Drained reports whether Run ended since an operator asked for that.
func (e *Engine) Drained() bool { return e.drained.Load() }

// askStatus makes a heartbeat if a session, or any if it has no ID, has another status.
func (p *partition) askStatus(session string) {
	if s := p.session.Load(); s != nil && (session == "" || s.id.ID == session) {
		lifecycle.Wake(s.told)
	}
}

// leaseLost reports whether an error means that the session is gone.
func leaseLost(err error) bool { return errors.Is(err, store.ErrLeaseLost) }
