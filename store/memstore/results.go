package memstore

import (
	"bytes"
	"cmp"
	"maps"
	"slices"
	"time"

	"github.com/rollcall-go/rollcall/store"
	"github.com/rollcall-go/rollcall/store/bounds"
)

// results holds the results of a run's tasks. Its zero value is empty.
type results struct {
	byID   map[string]*result
	groups map[string][]*result // by set and kind, oldest first
	last   int64                // place of the newest one
	bytes  int                  // of all
}

// result is the result of one task.
type result struct {
	store.TaskResult
	expires time.Time // zero means with the run
}

// over reports whether the time of the result is over.
func (r *result) over(now time.Time) bool { return !r.expires.IsZero() && !now.Before(r.expires) }

// keep adds the result of a task. Results that are too old, too many or too large together go.
func (rs *results) keep(set store.TaskResult, retention store.ResultRetention, now time.Time) {
	if rs.byID == nil {
		rs.byID, rs.groups = make(map[string]*result), make(map[string][]*result)
	}
	if before := rs.byID[set.ID]; before != nil {
		rs.drop(before)
	}
	rs.last++
	r := &result{TaskResult: set}
	r.At, r.Place, r.Data = now, rs.last, bytes.Clone(set.Data)
	if retention.Age > 0 {
		r.expires = now.Add(retention.Age)
	}
	group := r.Group()
	rs.byID[r.ID], rs.groups[group] = r, append(rs.groups[group], r)
	rs.bytes += r.Size()
	for retention.Number > 0 && len(rs.groups[group]) > retention.Number {
		rs.drop(rs.groups[group][0])
	}
	rs.expire(now)
	for rs.bytes > bounds.MaxResults {
		rs.drop(rs.oldest())
	}
}

// drop removes a result.
func (rs *results) drop(r *result) {
	delete(rs.byID, r.ID)
	rs.bytes -= r.Size()
	group := r.Group()
	all := rs.groups[group]
	if all[0] == r {
		all[0] = nil
		all = all[1:]
	} else {
		all = slices.DeleteFunc(all, func(other *result) bool { return other == r })
	}
	if rs.groups[group] = all; len(all) == 0 {
		delete(rs.groups, group)
	}
}

// oldest finds the oldest result of all.
func (rs *results) oldest() (oldest *result) {
	for _, all := range rs.groups {
		if oldest == nil || all[0].Place < oldest.Place {
			oldest = all[0]
		}
	}
	return oldest
}

// expire removes the first results of each group, as long as their time is over.
func (rs *results) expire(now time.Time) {
	for _, all := range rs.groups {
		for _, r := range all {
			if !r.over(now) {
				break
			}
			rs.drop(r)
		}
	}
}

// read reads a page of the results, or that of one task.
func (rs *results) read(p *store.ResultsParams, now time.Time) (reply store.ResultsReply) {
	page := newPage()
	give := func(r *result) bool {
		if r == nil || r.over(now) || p.Kind != "" && r.Kind != p.Kind {
			return true
		}
		if !page.fits(len(r.ID) + len(r.Data)) {
			return false
		}
		shown := r.TaskResult
		shown.Data = bytes.Clone(r.Data)
		reply.Results = append(reply.Results, shown)
		return true
	}
	if p.ID != "" {
		give(rs.byID[p.ID])
		return reply
	}
	after, place, _ := store.ParseResultCursor(p.After)
	looked := 0
	for _, group := range slices.Sorted(maps.Keys(rs.groups)) {
		all := rs.groups[group]
		switch {
		case group < after || p.Kind != "" && all[0].Kind != p.Kind:
			continue
		case group == after:
			from, _ := slices.BinarySearchFunc(
				all,
				place+1,
				func(r *result, place int64) int { return cmp.Compare(r.Place, place) },
			)
			all = all[from:]
		}
		for _, r := range all {
			if looked++; looked > p.Limit || !give(r) {
				return reply
			}
			reply.Next = r.Cursor()
		}
	}
	reply.Next = ""
	return reply
}
