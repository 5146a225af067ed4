package filestore

import (
	"maps"
	"slices"
	"time"

	"github.com/rollcall-go/rollcall/store"
	"github.com/rollcall-go/rollcall/store/statuses"
)

// next returns a number that was never given before: the clock in microseconds, unless that was.
// So numbers grow also if the file is lost.
func (s *state) next() int64 {
	s.LastNumber = max(s.LastNumber+1, s.now.UnixMicro())
	return s.LastNumber
}

// run finds a run that is kept.
func (s *state) run(id store.RunID) (*run, error) {
	for _, r := range s.Runs {
		if r.ID == id {
			return r, nil
		}
	}
	return nil, store.ErrRunNotFound
}

// nextDue is when the earliest delayed task, periodic job or end of a run is due; zero if
// there is none.
func (s *state) nextDue() time.Time {
	var next time.Time
	for _, j := range s.Jobs {
		next = earlier(next, j.Wakes)
	}
	for _, r := range s.Runs {
		next = earlier(earlier(next, r.idleEnds()), r.overdueAt())
		for _, t := range r.Tasks {
			if t.Place == delayed {
				next = earlier(next, t.Due)
			}
		}
	}
	return next
}

// earlier returns the earlier of two times; the zero time is none.
func earlier(a, b time.Time) time.Time {
	if a.IsZero() || !b.IsZero() && b.Before(a) {
		return b
	}
	return a
}

// counts adds the tasks of the list to those that have ended. Hooks are not counted.
func (r *run) counts() store.Counts {
	c := r.Counts
	for _, t := range r.Tasks {
		if !t.Route.Counted() {
			continue
		}
		switch t.Place {
		case aside, waiting, recovered:
			c.Pending++
		case delayed:
			c.Delayed++
		case held:
			c.Running++
		}
	}
	c.Total = c.Remaining() + c.Done()
	return c
}

// delivers reports whether a task may be delivered now: nothing while the run is paused, hooks in
// the state that they are for, and other tasks while the run is running.
func (r *run) delivers(t *task) bool {
	return (t.Place == waiting || t.Place == recovered) && !r.Paused && r.awaits(t.Route)
}

// awaits reports whether the run is in the state in which tasks of the route run.
func (r *run) awaits(route store.Route) bool {
	switch route.Kind {
	case store.KindPreJob:
		return r.Status == statuses.Starting
	case store.KindPostJob:
		return r.Status == statuses.Finishing
	}
	return r.Status == statuses.Running
}

// idleEnds is when an open run is ended unless somebody enqueues into it; zero for never.
func (r *run) idleEnds() time.Time {
	if _, open := r.OpenHolds[store.HoldOpen]; open && r.IdleAfter > 0 {
		return r.Touched.Add(r.IdleAfter)
	}
	return time.Time{}
}

// overdueAt is when an active run is stopped at its deadline; zero for never.
func (r *run) overdueAt() time.Time {
	if r.Status.Final() || r.Overdue {
		return time.Time{}
	}
	return r.Deadline
}

// drop removes tasks from the list.
func (r *run) drop(which func(*task) bool) { r.Tasks = slices.DeleteFunc(r.Tasks, which) }

// add puts an item behind all others. One that has a time of its own waits for Promote, also if
// that is past.
func (r *run) add(it store.Item, now time.Time) {
	t := &task{Item: it, Place: waiting}
	switch {
	case !it.At.IsZero():
		t.Place, t.Due = delayed, it.At
	case it.Delay > 0:
		t.Place, t.Due = delayed, now.Add(it.Delay)
	}
	r.Tasks = append(r.Tasks, t)
}

// figures finds those of a route, or makes them. They are never forgotten, because each change
// writes the whole file anyway.
func (s *state) figures(r store.Route) *store.Figures {
	f := find(&s.Figures, func(f *figure) bool { return f.Route == r })
	f.Route = r
	return &f.Figures
}

// admit adds an item, unless its ID is claimed: by a task that has not ended, or by one that has
// and is kept.
func (s *state) admit(r *run, it store.Item) (duplicate bool) {
	if it.Task.Claimed {
		duplicate = s.now.Before(r.Kept[it.Task.ID]) || r.hasClaimed(it.Task.ID)
	}
	if duplicate {
		r.Duplicate++
		return true
	}
	it.Task.Ready = it.ReadyAt(s.now)
	s.figures(it.Route).Enqueued++
	r.add(it, s.now)
	return false
}

// hasClaimed reports whether a task that has not ended has claimed the ID.
func (r *run) hasClaimed(id string) bool {
	return slices.ContainsFunc(r.Tasks, func(t *task) bool {
		return t.Place != staged && t.Task.Claimed && t.Task.ID == id
	})
}

// ended forgets a task, and keeps its ID if it asks for that.
func (r *run) ended(t store.Task, now time.Time) {
	maps.DeleteFunc(r.Kept, func(_ string, until time.Time) bool { return !now.Before(until) })
	if t.Claimed && t.Keep > 0 {
		if r.Kept == nil {
			r.Kept = map[string]time.Time{}
		}
		r.Kept[t.ID] = now.Add(t.Keep)
	}
}

// find returns the record of a list that is meant, and adds one if there is none.
func find[R any](list *[]R, is func(*R) bool) *R {
	for i := range *list {
		if r := &(*list)[i]; is(r) {
			return r
		}
	}
	*list = append(*list, *new(R))
	return &(*list)[len(*list)-1]
}
