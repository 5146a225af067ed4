package syncjob

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/rollcall-go/rollcall/handlers"
	"github.com/rollcall-go/rollcall/store"
)

const (
	// abandonAfter is how long handlers may take to return after their contexts were
	// cancelled, before shutdown goes on without them.
	abandonAfter = 5 * time.Second
	// reportTime bounds the reporting of outcomes and the closing of sessions.
	reportTime = 10 * time.Second
)

// errClosedSession is why a session's loops end after it was closed in order.
var errClosedSession = errors.New("session was closed")

// shutdown ends an engine. The order of its steps is what makes it clean; every step is
// bounded in time.
func (e *engine) shutdown() error {
	// 1. Fetch no more. A call in flight is waited for: its deliveries must not be lost
	// with the reply.
	e.drain()
	e.fetchers.Wait()
	e.loops.Wait()

	// 2. Give back what no handler has seen. Slots return once they find nothing.
	e.unload()
	e.backlog.close()

	// 3. Let handlers finish, then cancel them.
	stuck := e.awaitHandlers()

	// 4. Report every outcome. Heartbeats have kept the leases until here.
	ctx, cancel := context.WithTimeout(e.hard, reportTime)
	defer cancel()
	var errs []error
	for _, p := range e.partitions {
		if s := p.session.Load(); s != nil && !s.isLost() {
			errs = append(errs, s.finish(ctx))
		}
	}

	// 5. Leave. What stuck handlers hold goes to others, as after a crash.
	left := true
	for _, p := range e.partitions {
		if s := p.session.Load(); s != nil {
			lost := s.isLost()
			err := s.close(ctx)
			errs = append(errs, err)
			left = left && err == nil && !lost
		}
	}
	e.drawers.Stop(errClosedSession)
	if left && e.redeeming.Load() == 0 { // otherwise tasks may still be leased, and our permits with them
		errs = append(errs, e.resign(ctx))
	}
	e.tellers.Wait()
	e.kill(errClosedSession)
	if stuck > 0 {
		errs = append(errs, &StuckError{Handlers: stuck})
	} else {
		e.pool.Wait()
	}
	return errors.Join(errs...)
}

// unload gives back every task that is fetched and not started.
func (e *engine) unload() {
	for t := e.backlog.pop(); t != nil; t = e.backlog.pop() {
		t.session.release(t)
		e.intake.finished()
	}
}

// awaitHandlers waits for the slots to return: for the grace period, unless the worker
// is aborted, and then for a little longer with cancelled contexts. It returns how many
// did not.
func (e *engine) awaitHandlers() (stuck int) {
	grace := time.NewTimer(e.cfg.Grace)
	defer grace.Stop()
	select {
	case <-e.slotsDone:
		return 0
	case <-grace.C:
	case <-e.aborted:
	}
	e.interrupt(handlers.ErrShutdown, func(*task) bool { return true })
	bound := time.NewTimer(abandonAfter)
	defer bound.Stop()
	select {
	case <-e.slotsDone:
		return 0
	case <-bound.C:
		return e.stuck()
	}
}

// finish settles everything that was reported.
func (s *session) finish(ctx context.Context) error {
	if s.doubt.Load() {
		if err := s.adopt(ctx); err != nil {
			s.p.log(ctx, "cannot give back what a lost reply delivered", "error", err)
		}
	}
	s.mu.Lock()
	s.closing = true
	s.mu.Unlock()
	wake(s.toSettle)
	select {
	case <-s.settled:
	case <-s.life.Done(): // lost: others have the tasks
	case <-ctx.Done():
		return fmt.Errorf("%w: not every outcome could be reported; those tasks will run again", store.ErrUnavailable)
	}
	return nil
}

// close leaves the store and ends the session's loops, heartbeats last.
func (s *session) close(ctx context.Context) error {
	var err error
	if !s.isLost() {
		if err = s.e.store.CloseSession(ctx, s.id); err != nil {
			err = fmt.Errorf("close session: %w", err) // it will expire
		}
	}
	s.stop(errClosedSession)
	s.group.Wait()
	return err
}
