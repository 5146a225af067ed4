package filestore

import (
	"cmp"
	"context"
	"fmt"
	"slices"

	"github.com/rollcall-go/rollcall/store"
	"github.com/rollcall-go/rollcall/store/bounds"
	"github.com/rollcall-go/rollcall/store/statuses"
)

// Tasks reads a page of the tasks of a run. Each has a key, by which they are sorted, and which is
// the cursor of the page that begins behind it.
func (b *backend) Tasks(ctx context.Context, p store.TasksParams) (store.TasksReply, error) {
	return read(ctx, b, p, func(s *state, p store.TasksParams) (reply store.TasksReply, err error) {
		if c := p.Cursor; c != "" && (len(c) < 3 || c[0] < '1' || c[0] > '5' || c[1] != ' ') {
			return reply, &store.FieldError{Field: "Cursor", Reason: "is none that a page gave"}
		}
		r, err := s.run(p.Run)
		if err != nil {
			return reply, err
		}
		left := bounds.PageBytes
		for _, rec := range s.listing(r, &p) {
			size := taskSize(&rec.Task) + len(rec.Error)
			if n := len(reply.Tasks); n == p.Limit || n > 0 && size > left {
				reply.Next = reply.Tasks[n-1].Cursor
				return reply, nil
			}
			left -= size
			if !p.Payload {
				rec.Task.Payload = nil
			}
			reply.Tasks = append(reply.Tasks, rec)
		}
		return reply, nil
	})
}

// listed are the tasks of a run that have not failed, by their keys.
func (s *state) listed(r *run) map[string]*task {
	lines, keys := map[string][]*task{}, map[string]*task{}
	for _, t := range r.Tasks {
		if name := line(t); name != "" {
			lines[name] = append(lines[name], t)
		}
	}
	for name, tasks := range lines {
		if tasks[0].Place == delayed {
			slices.SortStableFunc(tasks, func(a, b *task) int { return a.Due.Compare(b.Due) })
		}
		for i, t := range tasks {
			// They are numbered from the back: what leaves at the front changes no key.
			key := fmt.Sprintf("%s %020d", name, len(tasks)-i)
			if t.Place == held {
				key = fmt.Sprintf("%s %020d %d", name, t.Lease.Fetch, 1000+t.Lease.Index)
			}
			keys[key] = t
		}
	}
	return keys
}

// listing is what p selects of the tasks of a run, behind its cursor; of an ID, the first.
func (s *state) listing(r *run, p *store.TasksParams) (all []store.TaskRecord) {
	for key, t := range s.listed(r) {
		rec := s.taskRecord(r, t)
		rec.Cursor = key
		all = append(all, rec)
	}
	for _, f := range r.Failures {
		all = append(all, store.TaskRecord{
			Route: f.Lane.Route, Status: statuses.TaskFailed, Task: f.Task, Since: f.At, Worker: f.Worker, Error: f.Error,
			Cursor: fmt.Sprintf("5 %020d", f.Place),
		})
	}
	slices.SortFunc(all, func(a, b store.TaskRecord) int { return cmp.Compare(a.Cursor, b.Cursor) })
	all = slices.DeleteFunc(all, func(rec store.TaskRecord) bool {
		return rec.Cursor <= p.Cursor || p.Status != "" && p.Status != rec.Status ||
			p.ID != "" && p.ID != rec.Task.ID ||
			p.Claimed && !rec.Task.Claimed ||
			p.Queue != "" && p.Queue != rec.Route.Queue ||
			p.Set != "" && p.Set != rec.Route.Set ||
			p.Kind != "" && p.Kind != rec.Route.Kind
	})
	if p.ID != "" && len(all) > 0 {
		return all[:1]
	}
	return all
}

// section is where the tasks of a place come in a listing.
var section = map[place]string{held: "1", delayed: "2", recovered: "3", aside: "4", waiting: "4"}

// line names the section and the session, or route, in which a task stands in line. Hooks and
// staged children are not listed.
func line(t *task) string {
	switch {
	case !t.Route.Counted() || t.Place == staged:
		return ""
	case t.Place == held:
		return section[held] + " " + t.Lease.Session
	}
	return section[t.Place] + " " + t.Route.Queue + "/" + t.Route.Set + "/" + t.Route.Kind
}

// taskRecord is what is told of a task.
func (s *state) taskRecord(r *run, t *task) store.TaskRecord {
	rec := store.TaskRecord{Route: t.Route, Task: t.Task, Status: statuses.TaskWaiting}
	switch {
	case t.Place == held:
		rec.Status = statuses.TaskRunning
		said := s.said(t.Lease.Session)
		rec.Worker = said.Worker.Name
		for _, told := range said.Running {
			if told.Run == r.ID && told.ID == t.Task.ID {
				rec.Since, rec.Progress = told.Since, told.Progress
			}
		}
	case t.Place == delayed && t.Task.Retry > 0:
		rec.Status, rec.Due = statuses.TaskRetrying, t.Due
	case t.Place == delayed:
		rec.Status, rec.Due = statuses.TaskDelayed, t.Due
	case r.Paused || r.Status == statuses.Starting || len(s.Pauses.Covering(t.Route, nil)) > 0:
		rec.Status = statuses.TaskHeld
	}
	if t.Place != held && t.Task.Expired(s.now) {
		rec.Status = statuses.TaskExpired
	}
	if t.Place == aside {
		rec.Due = t.At
		if t.Delay > 0 {
			rec.Due = s.now.Add(t.Delay)
		}
	}
	return rec
}
