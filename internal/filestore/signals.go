package filestore

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/rollcall-go/rollcall/store"
	"github.com/rollcall-go/rollcall/store/signals"
	"github.com/rollcall-go/rollcall/store/statuses"
)

// view is what subscribers are told of: a signal is sent when what it is about has changed. The
// values can be compared.
type view struct {
	about map[store.Signal]any
	work  map[store.Lane]work
	due   time.Time
}

// work is how many tasks of a lane may be delivered, and how many leases of its run count against a
// limit. If there are more of the former or fewer of the latter, some task may start.
type work struct{ ready, tallied int }

// runView is what a signal of a run is about.
type runView struct {
	status, final    statuses.Status
	counts           store.Counts
	retried, version int64
	holds            int
	paused, graceful bool
	onFailure        store.OnFailure
	hook             string
}

// jobView is what a signal of a job is about.
type jobView struct {
	changes, last, skipped int64
	runs                   int
	due                    time.Time
	disabled               bool
	problem                string
}

func (s *state) view() *view {
	v := &view{about: map[store.Signal]any{}, work: map[store.Lane]work{}, due: s.nextDue()}
	v.about[store.Signal{Type: signals.Pause}] = s.LastPauses
	v.about[store.Signal{Type: signals.Workers}] = fmt.Sprint(slices.Sorted(maps.Keys(s.Sessions)))
	for name, j := range s.Jobs {
		v.about[store.Signal{Type: signals.Job, Job: name}] = jobView{
			changes: j.Changes, runs: len(s.runs(name)), due: j.Due, disabled: j.Disabled, problem: j.Problem,
			last: j.LastRun, skipped: j.Skipped,
		}
	}
	for name, text := range s.Sets {
		v.about[store.Signal{Type: signals.Configuration, Queue: name}] = string(text)
	}
	for name, d := range s.Configurations {
		v.about[store.Signal{Type: signals.Configuration, Queue: name, Place: d.Version}] = true
	}
	for key, sem := range s.Semaphores {
		if len(sem.Line) > 0 && sem.turn(sem.Line[0].Exclusive, sem.Line[0].Max, 0) {
			v.about[store.Signal{Type: signals.Semaphore, Semaphore: key, Place: sem.Line[0].Place}] = true
		}
	}
	for _, r := range s.Runs {
		v.about[store.Signal{Type: signals.Run, Run: r.ID.Number}] = runView{
			status: r.Status, final: r.FinalStatus, counts: r.counts(), retried: r.Retried,
			version: r.Document.Version, holds: len(r.OpenHolds), paused: r.Paused, graceful: r.Graceful,
			onFailure: r.OnFailure, hook: r.HookError,
		}
		if tasks := s.reporting(r); len(tasks) > 0 {
			v.about[store.Signal{Type: signals.Progress, Run: r.ID.Number}] = fmt.Sprint(tasks)
		}
		tallied := 0
		for _, t := range r.Tasks {
			if t.Place == held && t.Lease.Tallied {
				tallied++
			}
		}
		for _, t := range r.Tasks {
			if r.delivers(t) {
				lane := store.Lane{Run: r.ID, Route: t.Route}
				v.work[lane] = work{v.work[lane].ready + 1, tallied}
			}
		}
	}
	return v
}

// news lists the signals of what has changed from one view to the next.
func news(before, after *view) (all []store.Signal) {
	for sig, now := range after.about {
		if was, ok := before.about[sig]; !ok || was != now {
			if sig.Type == signals.Configuration {
				sig = store.Signal{Type: signals.Configuration} // the rest only told them apart
			}
			all = append(all, sig)
		}
	}
	for sig := range before.about {
		if _, ok := after.about[sig]; !ok && (sig.Type == signals.Progress || sig.Type == signals.Job) {
			all = append(all, sig) // nothing is reported any more, or the job is removed
		}
	}
	for lane, now := range after.work {
		if was := before.work[lane]; now.ready > was.ready || now.tallied < was.tallied {
			all = append(all, store.Signal{Type: signals.Work, Queue: lane.Route.Queue})
		}
	}
	if !after.due.IsZero() && (before.due.IsZero() || after.due.Before(before.due)) {
		all = append(all, store.Signal{Type: signals.Due})
	}
	return all
}

// hub has the subscribers. It belongs to a backend, whose mutex guards all but their mailboxes.
type hub struct {
	subscribers []*subscriber
	told        *view // what the subscribers know
}

// subscriber is one call of Subscribe.
type subscriber struct {
	wake chan struct{} // has a token while something is pending

	mu      sync.Mutex
	pending []store.Signal
}

// tell sends what has changed since it was called last.
func (h *hub) tell(s *state) {
	signals := s.hints
	s.hints = nil
	if len(h.subscribers) == 0 {
		return
	}
	now := s.view()
	signals = append(signals, news(h.told, now)...)
	h.told = now
	for _, sub := range h.subscribers {
		sub.post(signals)
	}
}

// maxPending is how many signals wait for a subscriber that is slow; one SignalSync stands for
// more.
const maxPending = 1000

func (s *subscriber) post(all []store.Signal) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, sig := range all {
		if !slices.Contains(s.pending, sig) {
			s.pending = append(s.pending, sig)
		}
	}
	if len(s.pending) > maxPending {
		s.pending = []store.Signal{{Type: signals.Sync}}
	}
	if len(s.pending) > 0 {
		select {
		case s.wake <- struct{}{}:
		default:
		}
	}
}

func (s *subscriber) take() []store.Signal {
	s.mu.Lock()
	defer s.mu.Unlock()
	taken := s.pending
	s.pending = nil
	return taken
}

// SignalsAreComplete implements [store.CompleteSignals].
func (b *backend) SignalsAreComplete() bool { return true }

// Subscribe calls fn for every signal.
func (b *backend) Subscribe(ctx context.Context, fn func(store.Signal)) error {
	sub := &subscriber{wake: make(chan struct{}, 1)}
	b.mu.Lock()
	if len(b.hub.subscribers) == 0 {
		b.hub.told = b.state.view()
	}
	b.hub.subscribers = append(b.hub.subscribers, sub)
	b.mu.Unlock()
	defer func() {
		b.mu.Lock()
		defer b.mu.Unlock()
		b.hub.subscribers = slices.DeleteFunc(b.hub.subscribers, func(o *subscriber) bool { return o == sub })
	}()
	sub.post([]store.Signal{{Type: signals.Sync}})
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-b.closed:
			return store.ErrClosed
		case <-sub.wake:
		}
		for _, sig := range sub.take() {
			if ctx.Err() != nil {
				return nil
			}
			if err := apart(fn, sig); err != nil {
				return err
			}
		}
	}
}

// apart calls fn on a goroutine of its own, so that it ends neither the process nor its caller.
func apart(fn func(store.Signal), sig store.Signal) (err error) {
	err = errors.New("filestore: the subscriber ended its goroutine")
	var call sync.WaitGroup
	call.Go(func() {
		defer func() {
			if v := recover(); v != nil {
				err = fmt.Errorf("filestore: the subscriber panicked: %v", v)
			}
		}()
		fn(sig)
		err = nil
	})
	call.Wait()
	return err
}
