package memstore

import (
	"cmp"
	"context"
	"maps"
	"slices"

	"github.com/rollcall-go/rollcall/internal/tasklist"
	"github.com/rollcall-go/rollcall/store"
)

// Tasks reads a page of the tasks of a run.
func (s *backend) Tasks(ctx context.Context, p store.TasksParams) (store.TasksReply, error) {
	at, err := tasklist.Parse(p.Cursor)
	if err != nil {
		return store.TasksReply{}, err
	}
	part, err := s.of(ctx, p.Run.Job)
	if err != nil {
		return store.TasksReply{}, err
	}
	defer part.unlock()
	r, err := part.run(p.Run)
	if err != nil {
		return store.TasksReply{}, err
	}
	l := listing{
		partition: part,
		run:       r,
		Filter:    tasklist.NewFilter(&p, part.now(), r.rec.Status, r.rec.Paused, &part.pauses),
		at:        at,
		left:      p.Limit,
		page:      newPage(),
	}
	l.walk()
	if !l.Found(len(l.reply.Tasks)) {
		l.reply.Next = l.at.String()
	}
	return l.reply, nil
}

// listing is one page of tasks as it fills. Each place is read from its back to its front: what
// leaves at the front moves nothing, and what comes at the back is at worst read twice.
type listing struct {
	*partition
	tasklist.Filter
	run   *run
	at    tasklist.Cursor // behind what was looked at
	left  int             // tasks that may still be looked at
	page  *page
	reply store.TasksReply
}

// walk looks at one source after the other until the page is full.
func (l *listing) walk() {
	for l.at.Source < tasklist.End {
		if l.Source(l.at.Source) && !l.source() {
			return
		}
		l.at = tasklist.Cursor{Source: l.at.Source + 1}
	}
}

// source looks at the places of a source, from the cursor on. It reports whether it came to its
// end.
func (l *listing) source() bool {
	switch l.at.Source {
	case tasklist.Held:
		return l.places(slices.Sorted(maps.Keys(l.sessions)), l.held)
	case tasklist.Root:
		return l.run.root == nil || !l.Route(tasklist.Root, l.run.root.Route) || l.places([]string{""}, l.root)
	case tasklist.Delayed:
		return l.lanes(func(n *lane) (int64, func(from, to int64) []*store.TaskRecord) {
			return int64(n.delayed.len()), func(from, to int64) (all []*store.TaskRecord) {
				for _, d := range n.delayed.items[from:to] {
					all = append(all, &store.TaskRecord{Task: d.task, Due: d.due})
				}
				return all
			}
		})
	case tasklist.Recovered:
		return l.lanes(func(n *lane) (int64, func(from, to int64) []*store.TaskRecord) {
			return n.recovered.n, n.recovered.records
		})
	case tasklist.Waiting:
		return l.lanes(func(n *lane) (int64, func(from, to int64) []*store.TaskRecord) {
			return n.waiting.n, n.waiting.records
		})
	case tasklist.Failed:
		return l.places([]string{""}, l.failures)
	}
	return true
}

// places calls look for each place from that of the cursor on, until one is not looked at to its
// end.
func (l *listing) places(names []string, look func(name string) bool) bool {
	for _, name := range names {
		if name < l.at.Place {
			continue
		}
		if name != l.at.Place {
			l.at = tasklist.Cursor{Source: l.at.Source, Place: name}
		}
		if !look(name) {
			return false
		}
	}
	return true
}

// lanes reads a list of each lane of the run, given by its length and by what reads some of it.
func (l *listing) lanes(list func(*lane) (n int64, read func(from, to int64) []*store.TaskRecord)) bool {
	byName := make(map[string]*lane)
	for route, n := range l.run.lanes {
		if l.Route(l.at.Source, route) {
			byName[route.Queue+"/"+route.Set+"/"+route.Kind] = n
		}
	}
	return l.places(slices.Sorted(maps.Keys(byName)), func(name string) bool {
		lane := byName[name]
		n, read := list(lane)
		end := n - l.at.At
		begin := max(0, end-int64(l.left))
		if end <= begin {
			return end <= 0
		}
		for _, rec := range slices.Backward(read(begin, end)) {
			if rec.Route = lane.route; !l.look(rec, l.at.At+1, 0) {
				return false
			}
		}
		return begin == 0
	})
}

// held lists what a session holds of the run, in the order of its fetches.
func (l *listing) held(name string) bool {
	sess, going := l.sessions[name], true
	said := store.SessionRecord{Worker: sess.worker, Running: sess.running}
	sess.each(func(fetch int64, index int, h *holding) {
		place := []int64{fetch, int64(index) + 1}
		if !going || h.lane.run != l.run || !l.Route(tasklist.Held, h.lane.route) ||
			slices.Compare(place, []int64{l.at.At, l.at.Within}) <= 0 {
			return
		}
		rec := &store.TaskRecord{Route: h.lane.route, Task: h.task}
		tasklist.Progress(rec, l.run.rec.ID, &said)
		going = l.look(rec, place[0], place[1])
	})
	return going
}

func (l *listing) root(string) bool {
	root := l.run.root
	if l.at.At > 0 {
		return true
	}
	rec := &store.TaskRecord{Route: root.Route, Task: root.Task, Due: root.At}
	if root.Delay > 0 {
		rec.Due = l.now().Add(root.Delay)
	}
	return l.look(rec, 1, 0)
}

func (l *listing) failures(string) bool {
	from, found := slices.BinarySearchFunc(l.run.failures, l.at.At, func(f store.Failure, place int64) int {
		return cmp.Compare(f.Place, place)
	})
	if found {
		from++
	}
	for i := range l.run.failures[from:] {
		f := &l.run.failures[from+i]
		if !l.Route(tasklist.Failed, f.Lane.Route) {
			continue
		}
		rec := &store.TaskRecord{Route: f.Lane.Route, Task: f.Task, Since: f.At, Worker: f.Worker, Error: f.Error}
		if !l.look(rec, f.Place, 0) {
			return false
		}
	}
	return true
}

// look looks at a task of the place of the cursor, and moves the cursor behind it. It reports
// false, and does neither, if the page is full; and once the task that is sought is found.
func (l *listing) look(rec *store.TaskRecord, at, within int64) bool {
	if l.left == 0 {
		return false
	}
	selected := l.Filter.Task(l.at.Source, rec.Route, &rec.Task)
	if selected && !l.page.fits(taskBytes(&rec.Task)+len(rec.Error)) {
		return false
	}
	l.left--
	l.at.At, l.at.Within = at, within
	if !selected {
		return true
	}
	rec.Status = l.StatusOf(l.at.Source, rec.Route, &rec.Task)
	if rec.Cursor = l.at.String(); !l.Payload {
		rec.Task.Payload = nil
	}
	rec.Task = copyTask(rec.Task)
	l.reply.Tasks = append(l.reply.Tasks, *rec)
	return !l.Found(len(l.reply.Tasks))
}

// records reads the tasks from one position to before another.
func (f *fifo) records(from, to int64) (all []*store.TaskRecord) {
	for b := f.first; b != nil && to > 0; b = b.next {
		n := int64(len(b.tasks) - b.head)
		for i := max(0, from); i < min(n, to); i++ {
			all = append(all, &store.TaskRecord{Task: b.tasks[b.head+int(i)]})
		}
		from, to = from-n, to-n
	}
	return all
}
