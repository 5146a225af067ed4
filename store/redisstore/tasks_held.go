package redisstore

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"time"

	"github.com/redis/rueidis"

	"github.com/rollcall-go/rollcall/internal/tasklist"
	"github.com/rollcall-go/rollcall/store"
	"github.com/rollcall-go/rollcall/store/bounds"
	"github.com/rollcall-go/rollcall/store/redisstore/internal/format"
	"github.com/rollcall-go/rollcall/store/redisstore/internal/script"
	"github.com/rollcall-go/rollcall/store/statuses"
)

// sessions lists what sessions hold of the run, in the order of their names.
func (l *listing) sessions(ctx context.Context) (ended bool, err error) {
	b := l.client.B
	names, err := l.client.Do(ctx, b().Zrange().Key(l.space.Leases).Min("0").Max("-1").Build()).AsStrSlice()
	if err = script.Empty(l.server.Translate(ctx, "list sessions", err)); err != nil {
		return false, err
	}
	slices.Sort(names)
	names = slices.DeleteFunc(names, func(name string) bool { return name < l.at.Place })
	some := names[:min(len(names), maxListSessions)]
	cmds := make(rueidis.Commands, 0, len(some))
	for _, name := range some {
		cmds = append(cmds, b().Hkeys().Key(l.space.Session(name)).Build())
	}
	for i, r := range l.client.DoMulti(ctx, cmds...) {
		fields, err := r.AsStrSlice()
		if err = script.Empty(l.server.Translate(ctx, "list what a session holds", err)); err != nil {
			return false, err
		}
		if some[i] != l.at.Place {
			l.at = tasklist.Cursor{Source: l.at.Source, Place: some[i]}
		}
		if ended, err := l.session(ctx, some[i], fields); err != nil || !ended {
			return false, err
		}
	}
	if len(names) > len(some) {
		l.at = tasklist.Cursor{Source: l.at.Source, Place: names[len(some)]}
		return false, nil
	}
	return true, nil
}

// heldTask is a task of the run that a session holds.
type heldTask struct {
	field string
	lease store.Lease
}

// session lists what a session holds of the run, behind the cursor, in the order of its fetches.
func (l *listing) session(ctx context.Context, name string, fields []string) (ended bool, err error) {
	held := l.heldOf(name, fields)
	if len(held) == 0 {
		return true, nil
	}
	said, err := l.said(ctx, name)
	if err != nil {
		return false, err
	}
	for len(held) > 0 {
		if l.full() {
			return false, nil
		}
		some := held[:min(len(held), l.left, bounds.MaxBatch)]
		names := make([]string, len(some))
		for i := range some {
			names[i] = some[i].field
		}
		messages, err := l.readFields(ctx, l.space.Session(name), names)
		if err != nil || len(messages) == 0 {
			return false, err
		}
		for i := range messages {
			lease := &some[i].lease
			l.left--
			l.at.At, l.at.Within = lease.Fetch, int64(lease.Index)+1
			if messages[i].IsNil() {
				continue // it was settled meanwhile
			}
			message := script.Text(messages[i])
			l.bytes -= len(message)
			rec := l.add(lease.Lane.Route, message, time.Time{})
			if rec != nil && l.change != nil {
				if going, err := l.changeAt(ctx, "h", l.space.Session(name), some[i].field); err != nil || !going {
					return false, err
				}
			} else if rec != nil {
				tasklist.Progress(rec, l.Filter.Run, said)
			}
		}
		held = held[len(messages):]
		if len(messages) < len(some) {
			return false, nil // these are all that a page may have
		}
	}
	return true, nil
}

// heldOf are the tasks of the run among the fields of a session, behind the cursor.
func (l *listing) heldOf(name string, fields []string) (held []heldTask) {
	for _, field := range fields {
		lease, ok := format.ParseLeaseField(name, field)
		behind := cmp.Or(cmp.Compare(lease.Fetch, l.at.At), cmp.Compare(int64(lease.Index)+1, l.at.Within)) > 0
		if ok && behind && lease.Lane.Run.Number == l.Filter.Run.Number && l.Route(tasklist.Held, lease.Lane.Route) {
			held = append(held, heldTask{field, lease})
		}
	}
	slices.SortFunc(held, func(a, b heldTask) int {
		return cmp.Or(cmp.Compare(a.lease.Fetch, b.lease.Fetch), cmp.Compare(a.lease.Index, b.lease.Index))
	})
	return held
}

// said reads what a session says of its worker and of what this runs. One that is closed, or
// damaged, says nothing.
func (l *listing) said(ctx context.Context, name string) (*store.SessionRecord, error) {
	said := &store.SessionRecord{ID: name}
	if l.change != nil {
		return said, nil
	}
	v, err := l.client.Do(ctx, l.client.B().Hmget().Key(l.space.Session(name)).Field("info", "busy").Build()).ToArray()
	if err = l.server.Translate(ctx, "read a session", err); errors.Is(err, store.ErrCorrupt) {
		return said, nil
	} else if err != nil {
		return nil, err
	}
	_ = describe(said, script.Text(v[0]), script.Text(v[1])) // the tasks are listed without it
	return said, nil
}

// failures lists some of those that are kept, by their places.
func (l *listing) failures(ctx context.Context) (ended bool, err error) {
	if l.full() {
		return false, nil
	}
	page, err := l.Failures(ctx, store.FailuresParams{Run: l.Filter.Run, After: l.at.At, Limit: l.left})
	if err != nil {
		return false, err
	}
	for i := range page {
		f := &page[i]
		l.at.At = f.Place
		if !l.Route(tasklist.Failed, f.Lane.Route) || !l.Filter.Task(tasklist.Failed, f.Lane.Route, &f.Task) {
			continue
		}
		if !l.Payload {
			f.Task.Payload = nil
		}
		l.reply.Tasks = append(l.reply.Tasks, store.TaskRecord{
			Route: f.Lane.Route, Status: statuses.TaskFailed, Task: f.Task, Since: f.At, Worker: f.Worker, Error: f.Error,
			Cursor: l.at.String(),
		})
	}
	return len(page) == 0, nil
}
