package redisstore

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/redis/rueidis"

	"github.com/rollcall-go/rollcall/store"
	"github.com/rollcall-go/rollcall/store/bounds"
	"github.com/rollcall-go/rollcall/store/redisstore/internal/format"
	"github.com/rollcall-go/rollcall/store/redisstore/internal/script"
	"github.com/rollcall-go/rollcall/store/statuses"
)

// walk says what to read of the index.
type walk struct {
	states []int // their numbers, ascending
	oldest bool
	after  store.Place // not zero behind the first page
	until  time.Time   // only what did not change after that, unless it is zero
	limit  int
}

func (w *walk) begun() bool { return w.after != store.Place{} }

// command reads some entries of a state, from a position behind w.after on.
func (w *walk) command(b func() rueidis.Builder, key string, state, from int) rueidis.Completed {
	low, high := format.IndexScore(state, 0), format.IndexEnd(state)
	if !w.until.IsZero() {
		high = format.IndexScore(state, max(w.until.UnixMilli(), 0))
	}
	if w.oldest {
		if w.begun() {
			low = format.IndexScore(state, w.after.Changed)
		}
		return b().Zrangebyscore().Key(key).Min(low).Max(high).Withscores().Limit(int64(from), int64(w.atOnce())).Build()
	}
	if w.begun() && (w.until.IsZero() || w.after.Changed <= w.until.UnixMilli()) {
		high = format.IndexScore(state, w.after.Changed)
	}
	return b().Zrevrangebyscore().Key(key).Max(high).Min(low).Withscores().Limit(int64(from), int64(w.atOnce())).Build()
}

// atOnce is how many entries a command reads: some may be in the same ms as the end of the page
// before, and before that.
func (w *walk) atOnce() int { return w.limit + 16 }

// index reads the next places of a walk, in one round trip, unless many entries changed in the same
// ms as the last of the page before.
func (s *Store) index(ctx context.Context, k *format.Keyspace, w *walk) ([]store.Place, error) {
	var places []store.Place
	found := make(map[int]int) // by state
	for open, from := w.states, 0; len(open) > 0; from += w.atOnce() {
		cmds := make(rueidis.Commands, 0, len(open))
		for _, state := range open {
			cmds = append(cmds, w.command(s.client.B, k.Index, state, from))
		}
		var more []int
		for i, r := range s.client.DoMulti(ctx, cmds...) {
			entries, err := r.AsZScores()
			if err = script.Empty(s.server.Translate(ctx, "read the index", err, k.Index)); err != nil {
				return nil, err
			}
			for _, e := range entries {
				if p := k.IndexPlace(e.Member, e.Score); !w.begun() || p.Compare(w.after, w.oldest) > 0 {
					places = append(places, p)
					found[open[i]]++
				}
			}
			if len(entries) == w.atOnce() && found[open[i]] < w.limit {
				more = append(more, open[i])
			}
		}
		open = more
	}
	slices.SortFunc(places, func(a, b store.Place) int { return a.Compare(b, w.oldest) })
	return places[:min(len(places), w.limit)], nil
}

// statesOf returns the numbers of the states of a listing; with first, of those of jobs.
func statesOf(statuses []statuses.Status, first int) (states []int) {
	for _, status := range statuses {
		states = append(states, first+format.IndexState(status))
	}
	slices.Sort(states)
	return slices.Compact(states)
}

// ListRuns implements [store.Runs]. A page costs two round trips; with p.Details two more, and with
// p.Still one.
func (s *Store) ListRuns(ctx context.Context, p store.RunsParams) (store.RunPage, error) {
	var page store.RunPage
	if err := s.server.Begin(ctx); err != nil {
		return page, err
	}
	k := s.spaces[p.Partition]
	now, err := s.clock(ctx, p.Still > 0)
	if err != nil {
		return page, err
	}
	places, err := s.placesOf(ctx, k, &p, now)
	if err != nil {
		return page, err
	}
	size, seen := 0, make(map[int64]bool)
	for chunk := range slices.Chunk(places, listedAtOnce) {
		runs, sizes, err := s.listedRuns(ctx, k, chunk)
		if err != nil {
			return page, err
		}
		for i, r := range runs {
			page.Next = chunk[i]
			if size += sizes[i]; r == nil || seen[r.ID.Number] || !p.Match(r, now) {
				continue // gone; or it moved while two states were read
			}
			seen[r.ID.Number] = true
			page.Runs = append(page.Runs, store.RunEntry{Run: *r, Place: chunk[i]})
		}
		if size > bounds.PageBytes {
			break
		}
	}
	if n := len(places); n < p.Limit && (n == 0 || page.Next == places[n-1]) {
		page.Next = store.Place{}
	}
	if p.Details {
		err = s.addDetails(ctx, k, &page)
	}
	return page, err
}

// clock reads the clock of a server, if that is needed.
func (s *Store) clock(ctx context.Context, needed bool) (now time.Time, err error) {
	if !needed {
		return now, nil
	}
	parts, err := s.client.Do(ctx, s.client.B().Time().Build()).AsStrSlice()
	if err != nil || len(parts) != 2 {
		return now, s.server.Translate(ctx, "read the clock", err)
	}
	seconds, _ := format.ParseInt(parts[0])
	micros, _ := format.ParseInt(parts[1])
	return time.Unix(seconds, micros*1000), nil
}

// listedAtOnce is how many records one call of a listing reads.
const listedAtOnce = 100

// placesOf finds the places of the runs that a page looks at.
func (s *Store) placesOf(
	ctx context.Context, k *format.Keyspace, p *store.RunsParams, now time.Time,
) ([]store.Place, error) {
	w := walk{oldest: p.Oldest, limit: p.Limit, after: p.After}
	if p.Job != "" {
		return s.placesOfJob(ctx, p, &w)
	}
	in := p.Statuses
	if len(in) == 0 {
		in = slices.Concat(statuses.Active, statuses.Final)
	}
	if p.Still > 0 {
		w.until = now.Add(-p.Still)
		in = slices.DeleteFunc(slices.Clone(in), statuses.Status.Final)
	}
	w.states = statesOf(in, 0)
	return s.index(ctx, k, &w)
}

// placesOfJob finds the places of runs of one job: they ended in the order of their numbers.
func (s *Store) placesOfJob(ctx context.Context, p *store.RunsParams, w *walk) (places []store.Place, err error) {
	numbers, err := s.JobRuns(ctx, p.Job)
	if p.Oldest {
		slices.Reverse(numbers)
	}
	for _, n := range numbers {
		place := store.Place{Number: n}
		if w.begun() && place.Compare(store.Place{Number: w.after.Number}, p.Oldest) <= 0 {
			continue
		}
		if places = append(places, place); len(places) == p.Limit {
			break
		}
	}
	return places, err
}

// listedRuns reads the records of runs, without details, and about how large each is. One that is
// gone, or that cannot be read, is nil: a call for that run returns the error.
func (s *Store) listedRuns(
	ctx context.Context, k *format.Keyspace, places []store.Place,
) ([]*store.RunRecord, []int, error) {
	cmds := make(rueidis.Commands, 0, len(places))
	for _, p := range places {
		cmds = append(cmds, s.client.B().Hmget().Key(k.Run(format.RunID(p.Number))).Field(format.ListedFields...).Build())
	}
	runs, sizes := make([]*store.RunRecord, len(places)), make([]int, len(places))
	for i, reply := range s.client.DoMulti(ctx, cmds...) {
		values, err := reply.ToArray()
		if err == nil {
			h := format.Fields(format.ListedFields, values)
			for _, v := range h {
				sizes[i] += len(v)
			}
			if h["job"] == "" {
				continue
			}
			var r store.RunRecord
			if r, err = format.DecodeRun(store.RunID{Job: h["job"], Number: places[i].Number}, h, s.estimate()); err == nil {
				r.Trim()
				runs[i] = &r
				continue
			}
		}
		if err = s.leftOut(ctx, k.Run(format.RunID(places[i].Number)), err); err != nil {
			return nil, nil, err
		}
	}
	return runs, sizes, nil
}

// leftOut returns the error of a record that could not be read, unless the record itself is damaged:
// then it is left out of the listing.
func (s *Store) leftOut(ctx context.Context, key string, err error) error {
	if !errors.Is(err, store.ErrCorrupt) {
		err = s.server.Translate(ctx, "read a record", err, key)
	}
	if !errors.Is(err, store.ErrCorrupt) {
		return err
	}
	s.config.Logger.ErrorContext(ctx, "a record is left out of a listing", "key", key, "error", err)
	return nil
}

// largeFields are those of a run that callers chose, and that a listing without details lacks.
var largeFields = []string{"args", "headers", "root", "post", "result"}

// addDetails reads the whole records of a page, as many as fit, and ends the page there.
func (s *Store) addDetails(ctx context.Context, k *format.Keyspace, page *store.RunPage) error {
	b := s.client.B
	var lengths, cmds rueidis.Commands
	for i := range page.Runs {
		key := k.Run(format.RunID(page.Runs[i].Run.ID.Number))
		for _, field := range largeFields {
			lengths = append(lengths, b().Hstrlen().Key(key).Field(field).Build())
		}
		cmds = append(cmds, b().Hgetall().Key(key).Build())
	}
	n, err := fitting(s.client.DoMulti(ctx, lengths...), len(largeFields))
	if err != nil {
		return s.server.Translate(ctx, "read lengths", err)
	}
	if n < len(page.Runs) {
		page.Runs, page.Next = page.Runs[:n], page.Runs[n-1].Place
	}
	var runs []store.RunEntry
	for i, reply := range s.client.DoMulti(ctx, cmds[:n]...) {
		e := page.Runs[i]
		h, err := reply.AsStrMap()
		if err == nil {
			e.Run, err = format.DecodeRun(e.Run.ID, h, s.estimate())
		}
		switch {
		case err == nil:
			runs = append(runs, e)
		case errors.Is(err, store.ErrRunNotFound): // removed meanwhile
		default:
			if err = s.leftOut(ctx, k.Run(format.RunID(e.Run.ID.Number)), err); err != nil {
				return err
			}
		}
	}
	page.Runs = runs
	return nil
}
