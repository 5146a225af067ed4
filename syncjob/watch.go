package syncjob

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"reflect"
	"time"

	"github.com/rollcall-go/rollcall/internal/lifecycle"
	"github.com/rollcall-go/rollcall/store"
	"github.com/rollcall-go/rollcall/store/signals"
	"github.com/rollcall-go/rollcall/syncjob/states"
)

const (
	// watchPoll is how often a run is read without a signal: signals may be lost.
	watchPoll = 2 * time.Second
	// watchGap limits the reads of a run that changes all the time to four a second.
	watchGap = 250 * time.Millisecond
	// watchFirstGap is the gap after the first read. It doubles with each read while the run changes.
	// So the end of a short run is seen at once, and a long run costs little.
	watchFirstGap = 4 * time.Millisecond
)

// Watch yields the state of the run now and after every change, at most about four a second. The
// final state is the last one. It uses signals of the store, not polling. An error ends the
// sequence: the error of ctx when ctx ends (the run goes on); [ErrStateLost] if the run is known to
// have existed, had not ended, and is gone; [ErrRunNotFound] if it never existed.
func (r *Run) Watch(ctx context.Context) iter.Seq2[states.Run, error] {
	return func(yield func(states.Run, error) bool) {
		var last *store.RunRecord
		for rec, err := range r.follow(ctx) {
			switch {
			case err != nil:
				yield(states.Run{}, err)
				return
			case last != nil && reflect.DeepEqual(*last, rec):
				continue
			}
			last = &rec
			if !yield(runState(rec, time.Now()), nil) {
				return
			}
		}
	}
}

// Wait returns the final state of the run when the run has ended, its post-job hook included. An
// error means that waiting failed, never that the run failed. The errors are those of [Run.Watch].
func (r *Run) Wait(ctx context.Context) (states.Run, error) {
	var last store.RunRecord
	for rec, err := range r.follow(ctx) {
		if err != nil {
			return states.Run{}, err
		}
		last = rec
	}
	return runState(last, time.Now()), nil // follow ends with the final record
}

// follow yields a record now, after every signal about the run, and every [watchPoll], until a
// record is final. If the store signals every change, it reads without a signal only rarely.
func (r *Run) follow(ctx context.Context) iter.Seq2[store.RunRecord, error] {
	return func(yield func(store.RunRecord, error) bool) {
		moved := make(chan struct{}, 1)
		leave := r.m.hub.Listen(func(s store.Signal) {
			about := s.Type == signals.Run || s.Type == signals.Progress
			if s.Type == signals.Sync || about && s.Run == r.id.Number {
				lifecycle.Wake(moved)
			}
		})
		defer leave()
		gap := watchFirstGap
		for {
			rec, err := r.record(ctx)
			if !yield(rec, err) || err != nil || rec.Status.Final() {
				return
			}
			read := time.Now()
			select {
			case <-moved:
			case <-r.m.roster.Closed():
				yield(store.RunRecord{}, ErrClosed)
				return
			case <-ctx.Done():
				yield(store.RunRecord{}, ctx.Err())
				return
			case <-time.After(lifecycle.Jitter(r.m.hub.Every(watchPoll))):
			}
			quiet := time.Since(read)
			if quiet < gap {
				lifecycle.Pause(ctx, gap-quiet)
			}
			if gap = min(2*gap, watchGap); quiet > 4*watchGap {
				gap = watchFirstGap
			}
		}
	}
}

// record reads the run. If the run is known to have existed, had not ended, and is gone, the error
// is [ErrStateLost]: a missing run is never taken as done.
func (r *Run) record(ctx context.Context) (store.RunRecord, error) {
	var rec store.RunRecord
	err := r.do("read", func() (err error) {
		rec, err = r.m.store.Run(ctx, r.id)
		return err
	})
	if err == nil {
		r.seen.Store(true)
		r.ended.Store(rec.Status.Final())
	}
	return rec, r.lost(err)
}

// lost turns [ErrRunNotFound] into [ErrStateLost] if the run is known to have existed and was not
// seen to end.
func (r *Run) lost(err error) error {
	if errors.Is(err, ErrRunNotFound) && r.seen.Load() && !r.ended.Load() {
		return fmt.Errorf("%w: %w", ErrStateLost, err)
	}
	return err
}
