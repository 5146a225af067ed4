package storetest

import (
	"fmt"
	"time"

	"github.com/rollcall-go/rollcall/store"
	"github.com/rollcall-go/rollcall/store/actions"
	"github.com/rollcall-go/rollcall/store/verdicts"
)

// contest is a running task that is cancelled while something else happens to it.
type contest struct {
	*run
	p *producer
	w *worker
	d store.Delivery
}

// settle reports an outcome of the task, twice, as if the reply to the first call was lost.
func (c *contest) settle(o store.Outcome) error {
	reply, err := c.w.try(o)
	if err != nil {
		return err
	}
	again, err := c.w.resettle(o)
	if err == nil && fmt.Sprint(again) != fmt.Sprint(reply) {
		err = fmt.Errorf("a repeat of the settlement answers %+v, not %+v", again, reply)
	}
	return err
}

// reports is a rival that reports an outcome.
func reports(outcome func(store.Delivery) store.Outcome) func(*contest) error {
	return func(c *contest) error { return c.settle(outcome(c.d)) }
}

// stops is a rival that stops the run, twice.
func stops(graceful bool) func(*contest) error {
	return func(c *contest) error {
		p := store.StopParams{Run: c.id, Graceful: graceful}
		if err := c.s.store.StopRun(c.s.ctx, p); err != nil {
			return err
		}
		return c.s.store.StopRun(c.s.ctx, p)
	}
}

// fails is a rival that reports a failure, which somebody retries or discards then.
func fails(action actions.Redo) func(*contest) error {
	return func(c *contest) error {
		if err := c.settle(failed(c.d)); err != nil {
			return err
		}
		_, err := c.run.producer().tryRedo(c.id, store.RedoParams{Action: action})
		return err
	}
}

// cell is what a cancellation answers, and what the run counts when all is over.
type cell struct {
	change verdicts.Change
	counts store.Counts
}

var (
	requested = cell{verdicts.ChangeRequested, store.Counts{Total: 1, Cancelled: 1}}
	removed   = cell{verdicts.ChangeCancelled, store.Counts{Total: 1, Cancelled: 1}}
	succeeded = store.Counts{Total: 1, Succeeded: 1}
	hasFailed = store.Counts{Total: 1, Failed: 1}
)

// rivals are the rows of the table: what happens to a running task that is cancelled, if the
// cancellation comes first, and if it comes later. A row in steps of its own, or that takes time,
// is not played at once with it.
var rivals = []struct {
	name         string
	act          func(c *contest) error
	first, later cell
	steps        bool
}{
	{"success", reports(func(d store.Delivery) store.Outcome { return success(d) }),
		cell{verdicts.ChangeRequested, succeeded}, cell{"", succeeded}, false},
	{"failure", reports(failed), cell{verdicts.ChangeRequested, hasFailed}, cell{"", hasFailed}, false},
	{"cancels itself", reports(ending(verdicts.Cancel)), requested, cell{"", removed.counts}, false},
	{"stops its run", reports(ending(verdicts.StopRun)), requested, cell{"", removed.counts}, false},
	{"retry", reports(func(d store.Delivery) store.Outcome { return retried(d, 0) }), requested, removed, false},
	{
		"retry after a delay",
		reports(func(d store.Delivery) store.Outcome { return retried(d, never) }),
		requested,
		removed,
		false,
	},
	{"snooze", reports(func(d store.Delivery) store.Outcome { return snoozed(d, never) }), requested, removed, false},
	{"release", reports(ending(verdicts.Release)), requested, removed, false},
	{"expires before it begins", reports(func(d store.Delivery) store.Outcome {
		d.Task.Expires = time.UnixMilli(1)
		return plain(d, verdicts.Cancel)
	}), requested, cell{"", removed.counts}, false},
	{"expires before it is tried again", reports(func(d store.Delivery) store.Outcome {
		d.Task.Expires = time.UnixMilli(1)
		return failed(d)
	}), cell{verdicts.ChangeRequested, hasFailed}, cell{"", hasFailed}, false},
	{"its session ends", func(c *contest) error {
		return c.s.store.CloseSession(c.s.ctx, c.w.session)
	}, requested, removed, false},
	{"its lease runs out", func(c *contest) error { c.s.lapse(c.w); return nil }, requested, removed, true},
	{"the run is stopped", stops(false), requested, requested, false},
	{"the run is stopped gracefully", stops(true), requested, requested, false},
	{"the run reaches its deadline", func(c *contest) error {
		_, err := c.s.store.Promote(c.s.ctx, c.partition)
		return err
	}, requested, requested, false},
	{"its failure is retried", fails(actions.RedoRetry), cell{verdicts.ChangeRequested, succeeded}, removed, true},
	{"its failure is discarded", fails(actions.RedoDiscard), requested, cell{"", removed.counts}, true},
}

// ending is an outcome with a verdict.
func ending(v verdicts.Verdict) func(store.Delivery) store.Outcome {
	return func(d store.Delivery) store.Outcome { return plain(d, v) }
}

// contest begins a run with a task that runs. Its deadline has passed, but nobody has looked yet.
func (s *scene) contest(name string) *contest {
	s.tb.Helper()
	p := store.StartParams{Job: s.name(name), Open: true}
	if name == "the run reaches its deadline" {
		p.Deadline = tick
	}
	r := s.start(p)
	c := &contest{run: r, p: r.producer(), w: r.shortLived()}
	if name != "its lease runs out" {
		c.w = r.worker()
	}
	c.p.add(r, claimed(file, "t", 0))
	c.d = c.w.one()
	if p.Deadline > 0 {
		s.h.Advance(s.tb, 2*tick)
	}
	return c
}

// ends lets the worker report, if it still holds the task, that it shall be tried again, and does
// what is left. The task comes once more if it may, and never else.
func (c *contest) ends(want cell, what string) {
	c.s.tb.Helper()
	if c.record().Counts.Running > 0 {
		c.w.settle(retried(c.d, 0))
	}
	c.s.promote(c.partition)
	w := c.run.worker()
	for _, d := range w.fetch(10) {
		c.s.Equal(store.Counts{Total: 1, Succeeded: 1}, want.counts, "it must not come again: %s", what)
		w.succeed(d)
	}
	if !c.record().Status.Final() {
		c.p.seal(c.run)
	}
	rec := c.record()
	c.s.Equal(want.counts, rec.Counts, what)
	c.s.True(rec.Status.Final(), what)
	report, err := c.s.store.Repair(c.s.ctx, store.RepairParams{Job: c.id.Job})
	c.s.NoError(err)
	c.s.Empty(report.Damage, what)
}

var cancelRaces = []testCase{
	{"a cancellation comes before what else happens to a running task", func(s *scene) {
		for _, x := range rivals {
			c := s.contest(x.name)
			s.Equal(x.first.change, c.cancel("t"), x.name)
			s.NoError(x.act(c), x.name)
			if x.first.counts != succeeded { // otherwise a retry by hand may wait, which is another task to cancel
				s.Equal(x.first.change, c.cancel("t"), "a repeat: %s", x.name)
			}
			c.ends(x.first, x.name)
		}
	}},
	{"a cancellation comes after what else happened to a running task", func(s *scene) {
		for _, x := range rivals {
			c := s.contest(x.name)
			s.NoError(x.act(c), x.name)
			s.Equal(x.later.change, c.cancel("t"), x.name)
			c.ends(x.later, x.name)
		}
	}},
	{"of a cancellation and what else happens to a running task at once, one is first", func(s *scene) {
		for _, x := range rivals {
			if x.steps {
				continue
			}
			c := s.contest(x.name)
			var change verdicts.Change
			s.together(2, func(i int) (err error) {
				if i == 0 {
					return x.act(c)
				}
				change, err = s.tryChange(store.ChangeTaskParams{Run: c.id, ID: "t", Cancel: true})
				return err
			})
			want := x.first
			if change != want.change {
				want = x.later
			}
			s.Equal(want.change, change, x.name)
			c.ends(want, x.name)
		}
	}},
}
