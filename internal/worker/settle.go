package worker

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/rollcall-go/rollcall/internal/encode"
	"github.com/rollcall-go/rollcall/internal/lifecycle"
	"github.com/rollcall-go/rollcall/internal/worker/intake"
	"github.com/rollcall-go/rollcall/store"
	"github.com/rollcall-go/rollcall/store/bounds"
	"github.com/rollcall-go/rollcall/store/histogram"
	"github.com/rollcall-go/rollcall/store/verdicts"
)

// stagedBytes is roughly how many bytes of a call the staged children of one route need.
const stagedBytes = 512

// maxSettleBytes is roughly the largest size of one call of Settle.
const maxSettleBytes = 1 << 20

// chunk holds the outcomes for one call of Settle.
type chunk struct {
	outcomes []store.Outcome
	tasks    []*task
	children int
	grows    bool // an outcome needs memory in the store
	bytes    int
}

// leased yields its tasks.
func (c *chunk) leased(yield func(*intake.Task) bool) {
	for _, t := range c.tasks {
		if !yield(&t.Task) {
			return
		}
	}
}

// fits reports whether an outcome of this size may join the chunk.
func (c *chunk) fits(children, bytes int) bool {
	return len(c.outcomes) == 0 || len(c.outcomes) < bounds.MaxBatch &&
		c.children+children <= bounds.MaxBatch && c.bytes+bytes <= maxSettleBytes
}

// size returns roughly how many bytes an outcome takes in a call.
func size(o *store.Outcome) int {
	n := len(o.Error) + len(o.Stack) + len(o.Result)
	for name := range o.Counters {
		n += len(name) + 20 // digits at most
	}
	switch o.Verdict {
	case verdicts.Retry, verdicts.Snooze, verdicts.Release, verdicts.Fail:
		n += len(o.Task.Payload) // the task is stored again
	}
	for i := range o.Children {
		n += encode.Size(o.Children[i])
	}
	for i := range o.Writes {
		n += o.Writes[i].Size()
	}
	for i := range o.Staged {
		n += stagedBytes + len(o.Staged[i].Route.Queue)
	}
	return n
}

// report passes the outcome of a task to the settle loop. While one call is in flight, outcomes are
// collected for the next: a group commit without a timer. A task whose lease is lost (verdict 0) is
// given back as usual. Usually the store answers that it is lost, and only then the worker forgets
// the task.
func (s *session) report(t *task, o *store.Outcome) {
	if o.Verdict == 0 {
		o.Verdict = verdicts.Release
	}
	s.mu.Lock()
	if s.closing || s.life.Err() != nil {
		s.mu.Unlock()
		return
	}
	var c *chunk
	bytes := size(o)
	if n := len(s.pending); n > 0 && s.pending[n-1].fits(len(o.Children), bytes) {
		c = s.pending[n-1]
	} else {
		c = s.freshLocked()
		s.pending = append(s.pending, c)
	}
	c.outcomes = append(c.outcomes, *o)
	c.tasks = append(c.tasks, t)
	c.children += len(o.Children)
	c.grows = c.grows || o.Grows()
	c.bytes += bytes
	first := len(s.pending) == 1 && len(c.outcomes) == 1
	s.mu.Unlock()
	if first {
		lifecycle.Wake(s.toSettle)
	}
}

func (s *session) freshLocked() *chunk {
	if n := len(s.spare); n > 0 {
		c := s.spare[n-1]
		s.spare = s.spare[:n-1]
		return c
	}
	return &chunk{
		outcomes: make([]store.Outcome, 0, 32),
		tasks:    make([]*task, 0, 32),
	}
}

// next returns the outcomes to settle now; nil if there are none. It also reports whether there may
// be more later. A chunk without outcomes is for histograms that are due.
func (s *session) next() (c *chunk, more bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.pending) > 0 {
		c = s.pending[0]
		s.pending = append(s.pending[:0], s.pending[1:]...)
	}
	if c == nil && s.timing.isDue(s.closing) {
		c = &chunk{}
	}
	return c, !s.closing
}

// postpone moves outcomes with children or writes to the end of the queue, because the store has no
// memory for them now. Outcomes that free memory go first.
func (s *session) postpone(c *chunk) {
	free, grow := &chunk{}, &chunk{}
	for i := range c.outcomes {
		half := free
		if c.outcomes[i].Grows() {
			half = grow
		}
		half.outcomes = append(half.outcomes, c.outcomes[i])
		half.tasks = append(half.tasks, c.tasks[i])
		half.children += len(c.outcomes[i].Children)
		half.grows = half == grow
		half.bytes += size(&c.outcomes[i])
	}
	s.mu.Lock()
	if len(free.outcomes) > 0 {
		s.pending = append([]*chunk{free}, s.pending...)
	}
	alone := len(s.pending) == 0
	s.pending = append(s.pending, grow)
	tasks, children := len(grow.outcomes), grow.children // later outcomes may join the chunk
	s.mu.Unlock()
	if alone {
		s.p.log(s.life, "store is out of memory; children and writes wait", "tasks", tasks, "children", children)
		lifecycle.Pause(s.life, lifecycle.Jitter(retryWait))
	}
}

// recycle keeps a chunk for the next outcomes.
func (s *session) recycle(c *chunk) {
	clear(c.outcomes)
	clear(c.tasks)
	*c = chunk{outcomes: c.outcomes[:0], tasks: c.tasks[:0]}
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.spare) < 4 {
		s.spare = append(s.spare, c)
	}
}

// settleLoop settles until no more outcomes can come, or the session is lost.
func (s *session) settleLoop(context.Context) {
	defer close(s.settled)
	defer s.timing.timer.Stop()
	for number := int64(1); ; {
		c, more := s.next()
		switch {
		case c != nil:
			switch s.settle(c, number, !more) {
			case settleGone:
				return
			case settleLater:
				s.postpone(c)
			case settleDone:
				number++
				s.recycle(c)
			}
		case !more:
			return
		default:
			select {
			case <-s.toSettle:
			case <-s.timing.wait():
				s.timing.armed = false
			case <-s.life.Done():
				return
			}
		}
	}
}

// ended has the host tell of runs that have ended.
func (s *session) ended(runs []store.RunID) {
	if len(runs) == 0 {
		return
	}
	if tell := s.e.host.RunsEnded(s.e.hard, runs); tell != nil {
		s.e.tellers.Go(tell)
	}
}

// settleResult is the result of a call.
type settleResult uint8

const (
	settleDone  settleResult = iota
	settleLater              // refused because memory is short: nothing was applied, and the number can be used again
	settleGone               // the session is lost
)

// settle reports one chunk. It repeats the call with the same number until there is an answer, so
// nothing is applied twice. The call also brings histograms that are due; a chunk without outcomes
// brings nothing else. After last there may be no other call.
func (s *session) settle(c *chunk, number int64, last bool) settleResult {
	for _, t := range c.tasks {
		s.timing.count(&t.Delivery.Lease.Lane.Route, &t.took)
	}
	empty := len(c.outcomes) == 0
	p := store.SettleParams{
		Session: s.id, Number: number, Answered: s.answered(), Worker: s.e.cfg.Name, Outcomes: c.outcomes,
		Times: s.timing.due(last),
	}
	s.busy.Add(1)
	s.moves.Add(1)
	defer s.busy.Add(-1)
	for {
		start := time.Now()
		reply, err := s.e.store.Settle(s.life, p)
		switch {
		case err == nil:
			s.noteSettled(number)
			s.timing.arrived(p.Times)
			s.p.heard.set(time.Now())
			if !empty {
				s.conclude(c, &reply, time.Since(start))
			}
			return settleDone
		case errors.Is(err, store.ErrOutOfMemory) && (c.grows || empty):
			return settleLater
		case store.Permanent(err):
			s.lose(err)
			return settleGone
		case s.life.Err() != nil:
			return settleGone
		}
		s.p.log(s.life, "settle failed; it is repeated", "error", err)
		lifecycle.Pause(s.life, lifecycle.Jitter(retryWait))
	}
}

// conclude acts on the reply to a settlement with outcomes.
func (s *session) conclude(c *chunk, reply *store.SettleReply, took time.Duration) {
	s.e.host.Settled(s.life, &Settlement{
		Partition: s.id.Partition, Outcomes: c.outcomes, Lost: len(reply.Lost), Took: took,
	})
	s.ended(reply.Ended)
	if len(reply.Lost) > 0 {
		s.p.log(s.life, "outcomes came too late", "lost", len(reply.Lost), "session", s.id.ID)
	}
	s.refused(c, reply.Refused)
	suspect := false
	for _, t := range c.tasks {
		suspect = suspect || t.Delivery.Task.Recovered
	}
	s.drop(c.tasks)
	s.p.source.Settled(c.leased, len(c.tasks), suspect)
}

// noteTook has the settle loop count an attempt. Attempts of hooks do not count, nor does one that
// is given back.
func (t *task) noteTook(out *store.Outcome, began, ended time.Time) {
	if out.Verdict == 0 || out.Verdict == verdicts.Release || !t.Delivery.Lease.Lane.Route.Counted() {
		return
	}
	ready := t.Delivery.Task.WaitsSince()
	t.took = took{
		true,
		uint8(histogram.Index(t.session.p.clock.At(began).Sub(ready))),
		uint8(histogram.Index(ended.Sub(began))),
	}
}

// refused takes outcomes that cannot be applied out of the chunk, and reports other outcomes for
// these tasks. The session still holds their leases; it does so even while it closes. If staged
// children of a task were lost, the task runs again, and this is not counted as an attempt. If a
// write of a task was refused, the task fails.
func (s *session) refused(c *chunk, all []store.Refusal) {
	if len(all) == 0 {
		return
	}
	again := &chunk{}
	for _, r := range all {
		o := c.outcomes[r.Index]
		o = store.Outcome{Lease: o.Lease, Task: o.Task, Staged: o.Staged}
		if errors.Is(r.Err, store.ErrChildrenLost) {
			s.p.log(s.life, "the store lost children of a task; it runs again", "task", o.Task.ID)
			o.Verdict = verdicts.Snooze
		} else {
			s.p.log(s.life, "a write of a task was refused; the task fails", "task", o.Task.ID, "error", r.Err)
			o.Verdict, o.Error = verdicts.Fail, r.Err.Error()
		}
		again.outcomes = append(again.outcomes, o)
		again.tasks = append(again.tasks, c.tasks[r.Index])
		again.bytes += size(&o)
		c.tasks[r.Index] = nil
	}
	c.tasks = slices.DeleteFunc(c.tasks, func(t *task) bool { return t == nil })
	s.mu.Lock()
	defer s.mu.Unlock()
	s.pending = append(s.pending, again)
}
