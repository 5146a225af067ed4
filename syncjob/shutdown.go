package syncjob

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/rollcall-go/rollcall/handlers"
	"github.com/rollcall-go/rollcall/internal/lifecycle"
	"github.com/rollcall-go/rollcall/store"
)

// How long each step of a shutdown may take when handlers, or the store, do not do their part.
const (
	// lastFetch is for an answer to a fetch in flight: its deliveries must not be lost with the reply.
	lastFetch = time.Second
	// abandonAfter is for handlers to return after their contexts were cancelled, before shutdown goes on
	// without them.
	abandonAfter = 2 * time.Second
	// reportTime is for the reporting of outcomes after the grace period.
	reportTime = 2 * time.Second
	// leaveTime is for the closing of sessions.
	leaveTime = time.Second

	// endTime is all of it: what a shutdown may take beyond the grace period.
	endTime = abandonAfter + reportTime + leaveTime
)

// errClosedSession is why a session's loops end after it was closed in order.
var errClosedSession = errors.New("session was closed")

// shutdown ends an engine. The order of its steps is what makes it clean; every step is
// bounded in time.
func (e *engine) shutdown() error {
	graceEnds := time.Now().Add(e.cfg.Grace)

	// 1. Begin nothing more: give back what no handler has seen. A fetch in flight may bring more of that.
	e.drain()
	e.backlog.close()
	e.unload()
	quiet := lifecycle.New(e.values)
	quiet.Go(func(context.Context) {
		defer time.AfterFunc(lastFetch, e.hangUp).Stop()
		e.fetchers.Wait()
		e.loops.Wait()
		e.unload()
	})

	// 2. Let handlers finish, then cancel them.
	stuck := e.awaitHandlers(graceEnds)
	if e.isAborted() {
		graceEnds = time.Now()
	}
	quiet.Wait()

	// 3. Report every outcome. Heartbeats have kept the leases until here. It may take what is left of the grace period.
	errs := []error{e.report(graceEnds)}

	// 4. Leave. What stuck handlers hold goes to others, as after a crash.
	errs = append(errs, e.leave())
	e.tellers.Wait()
	e.kill(errClosedSession)
	if stuck > 0 {
		errs = append(errs, &StuckError{Handlers: stuck})
	} else {
		e.pool.Wait()
	}
	return errors.Join(errs...)
}

// report settles everything, unless the store does not answer.
func (e *engine) report(graceEnds time.Time) error {
	ctx, cancel := context.WithDeadline(e.hard, later(graceEnds, time.Now()).Add(reportTime))
	defer cancel()
	var errs []error
	for _, p := range e.partitions {
		if s := p.session.Load(); s != nil && !s.isLost() {
			errs = append(errs, s.finish(ctx))
		}
	}
	return errors.Join(errs...)
}

// leave closes the sessions, and takes leave of the limits.
func (e *engine) leave() error {
	ctx, cancel := context.WithTimeout(e.hard, leaveTime)
	defer cancel()
	var errs []error
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
	return errors.Join(errs...)
}

// unload gives back every task that is fetched and not started.
func (e *engine) unload() {
	for t := e.backlog.pop(); t != nil; t = e.backlog.pop() {
		t.session.release(t)
		e.intake.Finished()
	}
}

// awaitHandlers waits for the slots to return: for the grace period, unless the worker
// is aborted, and then for a little longer with cancelled contexts. It returns how many
// did not.
func (e *engine) awaitHandlers(graceEnds time.Time) (stuck int) {
	grace := time.NewTimer(time.Until(graceEnds))
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
		bounded, cancel := context.WithTimeout(ctx, reportTime) // ctx may last for all of the grace period
		err := s.adopt(bounded)
		cancel()
		if err != nil {
			s.p.log(ctx, "cannot give back what a lost reply delivered", "error", err)
		}
	}
	s.mu.Lock()
	s.closing = true
	s.mu.Unlock()
	lifecycle.Wake(s.toSettle)
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
