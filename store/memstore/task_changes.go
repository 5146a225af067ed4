package memstore

import (
	"context"
	"time"

	"github.com/rollcall-go/rollcall/internal/tasklist"
	"github.com/rollcall-go/rollcall/store"
	"github.com/rollcall-go/rollcall/store/bounds"
	"github.com/rollcall-go/rollcall/store/rules"
	"github.com/rollcall-go/rollcall/store/signals"
	"github.com/rollcall-go/rollcall/store/verdicts"
)

// ChangeTask looks for a task of a run and cancels or reschedules it.
func (s *backend) ChangeTask(ctx context.Context, p store.ChangeTaskParams) (store.ChangeTaskReply, error) {
	at, err := tasklist.Parse(p.Cursor)
	if err != nil {
		return store.ChangeTaskReply{}, err
	}
	part, err := s.of(ctx, p.Run.Job)
	if err != nil {
		return store.ChangeTaskReply{}, err
	}
	defer part.unlock()
	r, err := part.run(p.Run)
	if err != nil {
		return store.ChangeTaskReply{}, err
	}
	sought := store.TasksParams{Run: p.Run, ID: p.ID, Claimed: p.Claimed}
	l := listing{
		partition: part,
		run:       r,
		Filter:    tasklist.NewFilter(&sought, part.now(), r.rec.Status, r.rec.Paused, &part.pauses),
		at:        at,
		left:      bounds.MaxPage,
		page:      newPage(),
	}
	l.Unfailed = true
	l.walk()
	if len(l.reply.Tasks) > 0 {
		rec := &l.reply.Tasks[0]
		place, _ := tasklist.Parse(rec.Cursor)
		c := taskChange{partition: part, run: r, lane: r.lanes[rec.Route], task: rec.Task, at: place, now: part.now()}
		reply := store.ChangeTaskReply{Change: c.apply(&p)}
		if c.changed {
			part.note(ctx, p.Action(), p.Run, p.ID, "")
		}
		return reply, nil
	}
	next := l.at.String()
	if next == "" && p.Cancel {
		return store.ChangeTaskReply{Change: rules.KeptCancellation(r.cancellations, p.ID, part.now())}, nil
	}
	return store.ChangeTaskReply{Next: next}, nil
}

// taskChange is a change of one task, which was found at a place.
type taskChange struct {
	*partition
	run  *run
	lane *lane // nil for the root task of a run that is starting
	task store.Task
	at   tasklist.Cursor
	now  time.Time

	changed bool // something, by apply
}

func (c *taskChange) apply(p *store.ChangeTaskParams) verdicts.Change {
	switch {
	case p.Cancel:
		done := c.cancel()
		c.run.cancellations = rules.KeepCancellation(
			c.run.cancellations, rules.Cancellation{ID: c.task.ID, Change: done, At: c.now},
		)
		return done
	case c.at.Source == tasklist.Delayed:
		due := c.now
		if !p.Due.IsZero() {
			due = p.Due.UTC().Round(0)
		}
		before := c.lane.delayed.items[int(c.position(int64(c.lane.delayed.len())))].due
		c.changed = !before.Equal(due) && (!p.Due.IsZero() || before.After(due))
		c.reschedule(due)
		return verdicts.ChangeRescheduled
	}
	return verdicts.ChangeNotDelayed
}

// position is where the task is in the list of its lane, which has n.
func (c *taskChange) position(n int64) int64 { return n - c.at.At }

func (c *taskChange) cancel() verdicts.Change {
	l, counts := c.lane, &c.run.rec.Counts
	switch c.at.Source {
	case tasklist.Held:
		sess := c.sessions[c.at.Place]
		if h := &sess.batches[c.at.At].holdings[c.at.Within-1]; !h.asked {
			h.asked, c.changed = true, true
			sess.asked++
		}
		c.signal(store.Signal{Type: signals.Run, Run: c.run.rec.ID.Number})
		return verdicts.ChangeRequested
	case tasklist.Root:
		c.run.root = nil
		counts.Pending--
	case tasklist.Delayed:
		c.due.remove(l.dueAt) // its place depends on the earliest task
		if l.delayed.items[int(c.position(int64(l.delayed.len())))].task.Retry > 0 {
			l.retrying--
		}
		l.delayed.remove(int(c.position(int64(l.delayed.len()))))
		if l.delayed.len() > 0 {
			c.due.push(l)
		}
		counts.Delayed--
	case tasklist.Recovered:
		l.recovered.remove(c.position(l.recovered.n))
		counts.Pending--
		c.served(l)
	default:
		l.waiting.remove(c.position(l.waiting.n))
		counts.Pending--
		c.served(l)
	}
	c.changed = true
	counts.Cancelled++
	c.run.claims.settle(c.task, c.now)
	c.moved(c.run)
	c.conclude(c.run, c.now)
	return verdicts.ChangeCancelled
}

// reschedule gives a delayed task another due time.
func (c *taskChange) reschedule(due time.Time) {
	before := c.nextDue()
	i := int(c.position(int64(c.lane.delayed.len())))
	c.lane.delayed.items[i].due = due
	c.lane.delayed.fix(i)
	c.due.fix(c.lane.dueAt)
	if due.Before(before) {
		c.signal(store.Signal{Type: signals.Due})
	}
}

// remove takes out the task at a position.
func (f *fifo) remove(at int64) {
	var before *block
	for b := f.first; ; before, b = b, b.next {
		n := int64(len(b.tasks) - b.head)
		if at >= n {
			at -= n
			continue
		}
		if at == 0 && before == nil {
			f.popFront()
			return
		}
		i := b.head + int(at)
		copy(b.tasks[i:], b.tasks[i+1:])
		last := len(b.tasks) - 1
		b.tasks[last] = store.Task{} // the block must not keep the payload alive
		b.tasks = b.tasks[:last]
		f.n--
		if len(b.tasks) == b.head { // no block of a list is empty
			before.next = b.next
			if b.next == nil {
				f.last = before
			}
		}
		return
	}
}
