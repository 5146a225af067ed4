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

// The latest ends of the steps of a shutdown, if handlers or the store do not respond. All are
// measured from the end of the grace period. If a step ends early, the next one has more time.
const (
	// abandonAfter is how long handlers have to return after their contexts were cancelled. Then the
	// shutdown goes on without them.
	abandonAfter = 1500 * time.Millisecond
	// reportAfter is the end of reporting outcomes.
	reportAfter = 2 * time.Second
	// EndTime is the end of closing sessions, and so of the whole shutdown.
	EndTime = 2500 * time.Millisecond
)

// The longest times of single steps, even if the grace period leaves more.
const (
	// lastFetch is how long to wait for the answer to a fetch in flight, because it may deliver tasks.
	lastFetch = time.Second
	// ReadTime is for one read.
	ReadTime = 2 * time.Second
	// leaveTime is for closing the sessions.
	leaveTime = time.Second
)

// errClosedSession is why the loops of a session end after the shutdown closed it.
var errClosedSession = errors.New("session was closed")

// shutdown ends an engine. The order of its steps matters, and the time of each step is bounded. It
// returns how many handlers have not returned.
func (e *Engine) shutdown() (stuck int, err error) {
	over, end := context.WithTimeout(e.aborted, e.cfg.Grace)
	defer end()
	abandoned, reported, left := e.after(over, abandonAfter), e.after(over, reportAfter), e.after(over, EndTime)

	// 1. Start no more tasks: give back those that have not started. A fetch in flight may deliver
	// more of them.
	e.drain()
	e.backlog.close()
	e.unload(all)
	quiet := lifecycle.New(e.values)
	quiet.Go(func(context.Context) {
		defer time.AfterFunc(lastFetch, e.hangUp).Stop()
		e.fetchers.Wait()
		e.loops.Wait()
		e.unload(all)
	})

	// 2. Let handlers finish, then cancel them.
	stuck = e.awaitHandlers(over, abandoned)
	quiet.Wait()

	// 3. Report every outcome. Heartbeats kept the leases until now. This step may use the rest of the
	// grace period.
	errs := []error{e.report(reported)}

	// 4. Close the sessions. Tasks of stuck handlers go to other workers, as after a crash.
	errs = append(errs, e.leave(left))
	defer context.AfterFunc(left, func() { e.tellers.Stop(errClosedSession) })()
	e.tellers.Wait()
	e.kill(errClosedSession)
	if stuck == 0 {
		e.pool.Wait()
	}
	return stuck, errors.Join(errs...)
}

// after returns a context for calls. It ends this long after another context.
func (e *Engine) after(over context.Context, d time.Duration) context.Context {
	ctx, cancel := context.WithCancelCause(e.hard)
	context.AfterFunc(over, func() { time.AfterFunc(d, func() { cancel(context.DeadlineExceeded) }) })
	return ctx
}

// report settles everything, if the store answers.
func (e *Engine) report(ctx context.Context) error {
	var errs []error
	for _, p := range e.partitions {
		if s := p.session.Load(); s != nil && !s.isLost() {
			errs = append(errs, s.finish(ctx))
		}
	}
	return errors.Join(errs...)
}

// leave closes the sessions, and then gives back permits and tokens.
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
	// Otherwise tasks may still be leased, so the permits stay in use.
	if left && e.redeeming.Load() == 0 {
		errs = append(errs, e.drawer.resign(ctx))
	}
	return errors.Join(errs...)
}

// all selects every task.
func all(*task) bool { return true }

// unload gives back the tasks that meant selects, of those that were fetched and not started.
func (e *Engine) unload(meant func(*task) bool) {
	for _, t := range e.backlog.remove(meant) {
		t.session.release(t)
		e.intake.Finished()
	}
}

// awaitHandlers waits for the slots to return until the grace period is over. Then it cancels the
// contexts of the handlers and waits a little longer. It returns how many slots did not return.
func (e *Engine) awaitHandlers(over, abandoned context.Context) (stuck int) {
	select {
	case <-e.slotsDone:
		return 0
	case <-over.Done():
	}
	e.interrupt(handlers.ErrShutdown, all)
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
		// ctx may last for the whole grace period.
		bounded, cancel := context.WithTimeout(ctx, ReadTime)
		err := s.adopt(bounded)
		cancel()
		if err != nil {
			s.p.log(ctx, "cannot give back tasks of a lost reply", "error", err)
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
		if _, held := s.runs(); held == 0 {
			return nil // only histograms were not sent
		}
		return fmt.Errorf("%w: not every outcome could be reported; those tasks will run again", store.ErrUnavailable)
	}
	return nil
}

// close closes the session in the store and ends its loops; heartbeats end last.
func (s *session) close(ctx context.Context) error {
	var err error
	if !s.isLost() {
		if err = s.e.store.CloseSession(ctx, s.id); err != nil {
			err = fmt.Errorf("close session: %w", err) // the session will expire
		}
	}
	s.stop(errClosedSession)
	s.group.Wait()
	return err
}
