package storetest

import (
	"context"
	"fmt"
	"math"
	"slices"
	"strings"
	"time"

	"github.com/rollcall-go/rollcall/store"
	"github.com/rollcall-go/rollcall/store/actions"
	"github.com/rollcall-go/rollcall/store/bounds"
	"github.com/rollcall-go/rollcall/store/statuses"
)

// auditOf reads all lines of a partition, oldest first, page by page.
func (s *scene) auditOf(partition, page int) (lines []store.AuditLine) {
	s.tb.Helper()
	p := store.AuditParams{Partition: partition, Limit: page}
	for {
		got, err := s.store.Audit(s.ctx, p)
		s.NoError(err)
		for _, l := range got {
			lines = append(lines, l)
			p.Before = l.Number
		}
		if len(got) < page {
			slices.Reverse(lines)
			return lines
		}
	}
}

// acts is a context of an actor, the same in all tests.
func (s *scene) acts() context.Context {
	return store.WithActor(s.ctx, store.Actor{Name: "ada", Reason: "for fun", Operation: "op-ada"})
}

// adds requires that a call adds exactly this line to the audit of a partition, and none if it is
// repeated.
func (s *scene) adds(partition int, want store.AuditLine, call func(ctx context.Context) error) {
	s.tb.Helper()
	before := s.auditOf(partition, 7)
	ctx := s.acts()
	s.NoError(call(ctx), want.Action)
	after := s.auditOf(partition, 7)
	s.Len(after, len(before)+1, want.Action)
	got := after[len(before)]
	if len(before) > 0 {
		s.Greater(got.Number, before[len(before)-1].Number)
	}
	s.WithinDuration(s.clock(partition), time.UnixMicro(got.Number), time.Minute)
	want.Number, want.By, want.Operation = got.Number, "ada", "op-ada"
	if want.Reason == "" {
		want.Reason = "for fun"
	}
	s.Equal(want, got)
	_ = call(ctx) // it may say that there is nothing to do
	s.Equal(after, s.auditOf(partition, 7), "a repeat of %s", want.Action)
}

// clock returns the time of a partition.
func (s *scene) clock(partition int) time.Time {
	s.tb.Helper()
	reply, err := s.store.Promote(s.ctx, partition)
	s.NoError(err)
	return reply.Now
}

var auditContract = []testCase{
	{"each operation on a job adds a line, once", func(s *scene) {
		at := s.partition("nightly")
		e := store.EnsureParams{Job: "nightly", Type: statuses.JobStanding, Definition: []byte("1")}
		ensure := func(ctx context.Context) error { _, err := s.store.EnsureJob(ctx, e); return err }
		s.adds(at, store.AuditLine{Action: actions.Declare, Job: "nightly"}, ensure)
		e.Definition = []byte("2")
		s.adds(at, store.AuditLine{Action: actions.Declare, Job: "nightly"}, ensure)
		for disabled, action := range map[bool]actions.Action{true: actions.Disable, false: actions.Enable} {
			_ = s.store.SetJobDisabled(s.ctx, "nightly", !disabled)
			s.adds(at, store.AuditLine{Action: action, Job: "nightly"}, func(ctx context.Context) error {
				return s.store.SetJobDisabled(ctx, "nightly", disabled)
			})
		}
		_ = s.store.SetJobDisabled(s.ctx, "nightly", false)
		p := s.params(store.StartParams{Job: "nightly", Declared: true, Open: true})
		r, err := s.store.StartRun(s.ctx, p)
		s.NoError(err)
		last := s.auditOf(at, 7)
		s.Equal(actions.Start, last[len(last)-1].Action, "nobody is named, but the job is declared")
		s.NoError(s.store.StopRun(s.ctx, store.StopParams{Run: r.Run}))
		s.adds(at, store.AuditLine{Action: actions.Delete, Job: "nightly"}, func(ctx context.Context) error {
			return s.store.DeleteJob(ctx, "nightly")
		})
	}},
	{"each operation on a run adds a line, once", func(s *scene) {
		at := s.partition("import")
		p := s.params(store.StartParams{Job: "import", Open: true, RedriveOf: 12})
		r := &run{s: s, partition: at}
		before := s.auditOf(at, 7)
		reply, err := s.store.StartRun(s.acts(), p)
		s.NoError(err)
		_, err = s.store.StartRun(s.acts(), p)
		s.NoError(err)
		r.id = reply.Run
		after := s.auditOf(at, 7)
		s.Len(after, len(before)+1)
		want := store.AuditLine{Action: actions.Start, Job: "import", Run: r.id.Number, Subject: "12", By: "ada"}
		want.Number, want.Reason, want.Operation = after[0].Number, "for fun", "op-ada"
		s.Equal(want, after[len(before)])

		line := func(action actions.Action, reason string) store.AuditLine {
			return store.AuditLine{Action: action, Job: "import", Run: r.id.Number, Reason: reason}
		}
		for _, paused := range []bool{true, false} {
			s.adds(at, line(actions.PauseOrResume(paused), ""), func(ctx context.Context) error {
				return s.store.SetRunPaused(ctx, r.id, paused)
			})
		}
		own := store.ConfigurationWrite{
			ID: store.ConfigurationID{
				Run: r.id,
			}, Token: "t", IfVersion: store.AnyVersion, Document: []byte("a"), Reason: "slow",
		}
		s.adds(at, line(actions.Configure, "slow"), func(ctx context.Context) error {
			_, err := s.store.WriteConfiguration(ctx, own)
			return err
		})
		r.producer().add(r, task(scan, "t"))
		w := r.worker()
		held := w.one()
		s.adds(at, line(actions.Stop, "enough"), func(ctx context.Context) error {
			return s.store.StopRun(ctx, store.StopParams{Run: r.id, Reason: "enough", Graceful: true})
		})
		s.adds(at, line(actions.Stop, "at once"), func(ctx context.Context) error {
			return s.store.StopRun(ctx, store.StopParams{Run: r.id, Reason: "at once"})
		})
		w.succeed(held)
		s.adds(
			at,
			line(actions.Delete, ""),
			func(ctx context.Context) error { return s.store.DeleteRun(ctx, r.id) },
		)
	}},
	{"a job that is removed with its last run has one line", func(s *scene) {
		r := s.open("import")
		r.stop(false)
		s.adds(
			r.partition,
			store.AuditLine{Action: actions.Delete, Job: "import"},
			func(ctx context.Context) error {
				return s.store.DeleteJob(ctx, "import")
			},
		)
	}},
	{"pauses, configurations and semaphores add a line to their partition", func(s *scene) {
		last := s.store.Partitions() - 1
		scope := store.PauseScope{Queue: "slow"}
		for _, reason := range []string{"because", "still"} {
			s.adds(last, store.AuditLine{Action: actions.Pause, Subject: "queue slow", Reason: reason},
				func(ctx context.Context) error {
					return s.store.Pause(ctx, last, store.Pause{Scope: scope, By: "ada", Reason: reason})
				})
		}
		s.adds(
			last,
			store.AuditLine{Action: actions.Resume, Subject: "queue slow"},
			func(ctx context.Context) error {
				return s.store.Resume(ctx, last, scope)
			},
		)
		write := store.ConfigurationWrite{
			ID:        ofSet("ingest"),
			Token:     "t",
			IfVersion: store.AnyVersion,
			Document:  []byte("a"),
		}
		s.adds(s.partition("ingest"), store.AuditLine{Action: actions.Configure, Subject: "ingest"},
			func(ctx context.Context) error { _, err := s.store.WriteConfiguration(ctx, write); return err })
		s.granted(s.claim("printer", 1, time.Hour))
		s.adds(s.partition("printer"), store.AuditLine{Action: actions.End, Subject: "printer"},
			func(ctx context.Context) error {
				_, err := s.store.ForceReleaseSemaphore(ctx, "printer", 1, math.MaxInt64)
				return err
			})
	}},
	{"an enqueue adds its line if it adds a task or closes a hold", func(s *scene) {
		r := s.open("import")
		p := r.producer()
		line := store.AuditLine{Action: actions.Enqueue, Job: "import", Run: r.id.Number, Subject: "a", By: "ada"}
		count := func(want int, why string) {
			s.tb.Helper()
			s.Len(s.auditOf(r.partition, 7), want, why)
		}
		batch := store.EnqueueParams{
			Audit: &line, Entries: []store.Entry{{Run: r.id, Item: claimed(scan, "a", time.Hour)}, {Run: r.id, Item: task(scan, "b")}},
		}
		p.send(batch)
		count(1, "tasks")
		_, err := p.repeat()
		s.NoError(err)
		count(1, "a repeat")
		got := s.auditOf(r.partition, 7)[0]
		s.NotZero(got.Number)
		got.Number = 0
		s.Equal(line, got)
		batch.Entries = batch.Entries[:1]
		p.send(batch)
		count(1, "a duplicate")
		p.add(r, task(scan, "c"))
		count(1, "nobody is named")
		p.send(store.EnqueueParams{Audit: &line, Holds: []store.HoldChange{{Run: r.id, Name: "h"}}})
		count(1, "a hold that is opened")
		for range 2 {
			p.send(store.EnqueueParams{Audit: &line, Holds: []store.HoldChange{{Run: r.id, Name: "h", Close: true}}})
			count(2, "a hold that is closed")
		}
	}},
	{"each change of a task adds a line, once", func(s *scene) {
		r := s.open("import")
		p, w := r.producer(), r.worker()
		p.add(r, delayed(scan, "late", time.Hour), delayed(scan, "later", time.Hour), task(file, "running"))
		w.queues = only(file)
		w.one()
		p.add(r, task(file, "waiting"))
		change := func(action actions.Action, id string, due time.Time) {
			s.tb.Helper()
			line := store.AuditLine{Action: action, Job: "import", Run: r.id.Number, Subject: id}
			s.adds(r.partition, line, func(ctx context.Context) error {
				p := store.ChangeTaskParams{Run: r.id, ID: id, Cancel: action == actions.Cancel, Due: due}
				for {
					reply, err := s.store.ChangeTask(ctx, p)
					if p.Cursor = reply.Next; p.Cursor == "" {
						return err
					}
				}
			})
		}
		change(actions.Reschedule, "late", time.Unix(4e9, 0))
		change(actions.Reschedule, "late", time.Time{})
		for _, id := range []string{"later", "running", "waiting"} {
			change(actions.Cancel, id, time.Time{})
		}
	}},
	{"failures that are retried or discarded add the line of their call", func(s *scene) {
		r := s.open("import")
		p, w := r.producer(), r.worker()
		p.add(r, tasks(scan, "t", 4)...)
		for _, d := range w.take(4) {
			w.settle(failed(d))
		}
		var last int64
		for _, action := range []actions.Redo{actions.RedoRetry, actions.RedoDiscard} {
			params := store.RedoParams{Action: action, After: last, Limit: 2}
			line := store.AuditLine{Action: action.Audited(), Job: "import", Run: r.id.Number, Subject: "t", By: "ada"}
			params.Audit = &line
			before := s.auditOf(r.partition, 7)
			reply := p.redo(r, params)
			s.EqualValues(2, reply.Moved)
			last = reply.Next
			_, err := s.store.RedoFailures(s.ctx, p.redone)
			s.NoError(err)
			after := s.auditOf(r.partition, 7)
			s.Len(after, len(before)+1, "a repeat adds none")
			got := after[len(before)]
			got.Number = 0
			s.Equal(line, got)
			params.Before = reply.Next + 1
			s.Zero(p.redo(r, params).Moved)
			s.Len(s.auditOf(r.partition, 7), len(before)+1, "nothing moved")
		}
	}},
	{"what is refused, and what goes on by itself, adds no line", func(s *scene) {
		r := s.open("import")
		p, w := r.producer(), r.worker()
		p.add(r, task(scan, "t"))
		w.succeed(w.one())
		_, err := s.store.StartRun(s.acts(), s.params(store.StartParams{Job: "import"}))
		s.ErrorIs(err, store.ErrJobExists)
		s.ErrorIs(s.store.DeleteRun(s.ctx, r.id), store.ErrRunActive)
		s.ErrorIs(s.store.DeleteJob(s.ctx, "import"), store.ErrRunActive)
		s.ErrorIs(s.store.SetJobDisabled(s.ctx, "nobody", true), store.ErrJobNotFound)
		s.NoError(s.store.Resume(s.ctx, r.partition, store.PauseScope{Queue: "q"}))
		_, err = s.configure(ofSet("import"), 7, "a")
		s.ErrorIs(err, store.ErrConflict)
		n, err := s.store.ForceReleaseSemaphore(s.ctx, "import", 1, math.MaxInt64)
		s.NoError(err)
		s.Zero(n)
		report, err := s.store.Repair(s.acts(), store.RepairParams{Job: "import"})
		s.NoError(err)
		s.Empty(report.Damage)
		s.Empty(s.auditOf(r.partition, 7))
	}},
	{"the actor of a call is checked", func(s *scene) {
		long := strings.Repeat("x", bounds.MaxNoteLen+1)
		for field, a := range map[string]store.Actor{
			"Actor.Name": {Name: long}, "Actor.Reason": {Name: "a", Reason: "\xff"}, "Actor.Operation": {Operation: long},
		} {
			_, err := s.store.StartRun(
				store.WithActor(s.ctx, a),
				s.params(store.StartParams{Job: "import", Open: true}),
			)
			s.refuses(err, field)
		}
		long = long[1:]
		ctx := store.WithActor(s.ctx, store.Actor{Name: long, Reason: long})
		_, err := s.store.StartRun(ctx, s.params(store.StartParams{Job: "import", Open: true}))
		s.NoError(err)
		line := s.auditOf(s.partition("import"), 7)[0]
		s.Equal([]string{long, long}, []string{line.By, line.Reason})
		_, err = s.store.Audit(s.ctx, store.AuditParams{Limit: bounds.MaxAuditPage + 1})
		s.refuses(err, "Limit")
		_, err = s.store.Audit(s.ctx, store.AuditParams{Limit: 1, Before: -1})
		s.refuses(err, "Before")
	}},
	{"only the newest lines are kept", func(s *scene) {
		r := s.open("import")
		p := r.producer()
		const more = 3
		send := func(i int) {
			line := store.AuditLine{
				Action:  actions.Enqueue,
				Job:     "import",
				Run:     r.id.Number,
				Subject: fmt.Sprint(i),
			}
			p.send(store.EnqueueParams{Audit: &line, Entries: []store.Entry{{Run: r.id, Item: task(scan, "t")}}})
		}
		for i := range bounds.MaxAudit + more {
			send(i)
		}
		lines := s.auditOf(r.partition, bounds.MaxAuditPage)
		s.Len(lines, bounds.MaxAudit)
		s.Equal(fmt.Sprint(more), lines[0].Subject)
		s.Equal(fmt.Sprint(bounds.MaxAudit+more-1), lines[bounds.MaxAudit-1].Subject)
		if s.h.Bubble { // time costs nothing
			s.h.Advance(s.tb, bounds.AuditKept+time.Second)
			p = r.producer() // the other was forgotten
			send(0)
			left := s.auditOf(r.partition, bounds.MaxAuditPage)
			s.Len(left, 1, "the others are too old")
		}
	}},
}
