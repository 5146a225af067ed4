package filestore

import (
	"slices"
	"time"

	"github.com/rollcall-go/rollcall/store"
	"github.com/rollcall-go/rollcall/store/bounds"
)

// result is the result of a task.
type result struct {
	store.TaskResult
	Expires time.Time `json:",omitzero"`
}

// over reports whether the time of the result is over.
func (r *result) over(now time.Time) bool { return !r.Expires.IsZero() && !now.Before(r.Expires) }

// results are those of the tasks of a run that are kept.
type results struct {
	All  []result // oldest first
	Last int64    // place of the newest one
}

// expire removes the first results of each set and kind, as long as their time is over.
func (rs *results) expire(now time.Time) {
	ends := map[string]bool{} // by group: whether one that stays was seen
	rs.All = slices.DeleteFunc(rs.All, func(set result) bool {
		ends[set.Group()] = ends[set.Group()] || !set.over(now)
		return !ends[set.Group()]
	})
}

// keep adds the result of a task, and removes those that are too old, too many or too large.
func (rs *results) keep(set store.TaskResult, retention store.ResultRetention, now time.Time) {
	rs.All = slices.DeleteFunc(rs.All, func(other result) bool { return other.ID == set.ID })
	rs.Last++
	set.At, set.Place = now, rs.Last
	added := result{TaskResult: set}
	if retention.Age > 0 {
		added.Expires = now.Add(retention.Age)
	}
	rs.All = append(rs.All, added)
	number, size := 0, 0
	for i := range slices.Backward(rs.All) { // the newest first
		if rs.All[i].Group() == set.Group() {
			number++
		}
		if rs.All[i].Group() == set.Group() && retention.Number > 0 && number > retention.Number {
			rs.All[i].ID = "" // which no task has
			continue
		}
		if size += rs.All[i].Size(); size > bounds.MaxResults {
			rs.All = rs.All[i+1:]
			break
		}
	}
	rs.All = slices.DeleteFunc(rs.All, func(other result) bool { return other.ID == "" })
	rs.expire(now)
}
