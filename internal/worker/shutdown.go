package worker

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/rollcall-go/rollcall/handlers"
	"github.com/rollcall-go/rollcall/internal/lifecycle"
	"github.com/rollcall-go/rollcall/store"
)

// When the steps of a shutdown end at the latest, if handlers, or the store, do not do their part.
// All are counted from the end of the grace period, by one clock: what one step leaves of its time
// is the next one's.
const (
	// abandonAfter is for handlers to return after their contexts were cancelled: shutdown goes on
	// without them.
	abandonAfter = 1500 * time.Millisecond
	// reportAfter is for the reporting of outcomes.
	reportAfter = 2 * time.Second
	// EndTime is for the closing of sessions, and so for all of it.
	EndTime = 2500 * time.Millisecond
)

// How long a step may take within that, where the grace period leaves it more.
const (
	// lastFetch is for an answer to a fetch in flight: its deliveries must not be lost with the
	// reply.
	lastFetch = time.Second
	// ReadTime is for one read.
	ReadTime = 2 * time.Second
	// leaveTime is for the closing of sessions.
	leaveTime = time.Second
)

// errClosedSession is why a session's loops end after it was closed in order.
var errClosedSession = errors.New("session was closed")

// shutdown ends an engine. The order of its steps is what makes it clean; every step is
// bounded in time. It returns how many handlers have not returned.
func (e *Engine) shutdown() (stuck int, err error) {
	over, end := context.WithTimeout(e.aborted, e.cfg.Grace)
	defer end()
	abandoned, reported, left := e.after(over, abandonAfter), e.after(over, reportAfter), e.after(over, EndTime)

	// 1. Begin nothing more: give back what no handler has seen. A fetch in flight may bring more
	// of that.
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
	stuck = e.awaitHandlers(over, abandoned)
	quiet.Wait()

	// 3. Report every outcome. Heartbeats have kept the leases until here. It may take what is left
	// of the grace period.
	errs := []error{e.report(reported)}

	// 4. Leave. What stuck handlers hold goes to others, as after a crash.
	errs = append(errs, e.leave(left))
	defer context.AfterFunc(left, func() { e.tellers.Stop(errClosedSession) })()
	e.tellers.Wait()
	e.kill(errClosedSession)
	if stuck == 0 {
		e.pool.Wait()
	}
	return stuck, errors.Join(errs...)
}

// after returns a context for calls that ends so long after another one.
func (e *Engine) after(over context.Context, d time.Duration) context.Context {
	ctx, cancel := context.WithCancelCause(e.hard)
	context.AfterFunc(over, func() { time.AfterFunc(d, func() { cancel(context.DeadlineExceeded) }) })
	return ctx
}

// report settles everything, unless the store does not answer.
func (e *Engine) report(ctx context.Context) error {
	var errs []error
	for _, p := range e.partitions {
		if s := p.session.Load(); s != nil && !s.isLost() {
			errs = append(errs, s.finish(ctx))
		}
	}
	return errors.Join(errs...)
}

// leave closes the sessions, and takes leave of the limits.
func (e *Engine) leave(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, leaveTime)
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
	// Otherwise tasks may still be leased, and our permits with them.
	if left && e.redeeming.Load() == 0 {
		errs = append(errs, e.drawer.resign(ctx))
	}
	return errors.Join(errs...)
}

// unload gives back every task that is fetched and not started.
func (e *Engine) unload() {
	for t := e.backlog.pop(); t != nil; t = e.backlog.pop() {
		t.session.release(t)
		e.intake.Finished()
	}
}

// awaitHandlers waits for the slots to return: until the grace period is over, and then for a
// little longer with cancelled contexts. It returns how many did not.
func (e *Engine) awaitHandlers(over, abandoned context.Context) (stuck int) {
	select {
	case <-e.slotsDone:
		return 0
	case <-over.Done():
	}
	e.interrupt(handlers.ErrShutdown, func(*task) bool { return true })
	select {
	case <-e.slotsDone:
		return 0
	case <-abandoned.Done():
		return e.stuck()
	}
}

// finish settles everything that was reported.
func (s *session) finish(ctx context.Context) error {
	if s.doubt.Load() {
		// ctx may last for all of the grace period.
		bounded, cancel := context.WithTimeout(ctx, ReadTime)
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
