package redisstore

import (
	"context"
	"strings"

	"github.com/rollcall-go/rollcall/store"
	"github.com/rollcall-go/rollcall/store/bounds"
	"github.com/rollcall-go/rollcall/store/redisstore/internal/format"
	"github.com/rollcall-go/rollcall/store/redisstore/internal/script"
)

// reclaim closes a session if it is dead, or if forced. It gives back the session's tasks, a slice
// at a time, and returns how many there were.
func (s *Store) reclaim(ctx context.Context, id store.SessionID, forced bool) (int, error) {
	k := s.spaces[id.Partition]
	c := script.NewCall(k.Session(id.ID), k.Leases, k.Terms, k.Lost)
	c.Add(id.ID).Flag(forced).Int(bounds.MaxLost).Add(format.Millis(bounds.LostKept), k.Channel)
	word, rest, err := s.server.Word(ctx, script.CloseSession, c)
	if err != nil || word != "closed" {
		return 0, err
	}
	said := store.SessionRecord{ID: id.ID}
	if len(rest) == 2 {
		_ = describe(&said, script.Text(rest[0]), script.Text(rest[1])) // for attempts, which do without it
	}
	total := 0
	for {
		held, err := s.heldPage(ctx, k, id.ID, nil)
		if err != nil {
			return total, err
		}
		n, remaining, again, err := s.reclaimSlice(ctx, k, &said, held)
		if again {
			continue
		}
		total += n
		if err != nil || remaining == 0 || len(held) == 0 {
			return total, err
		}
	}
}

// heldLane holds the deliveries of a session in one lane.
type heldLane struct {
	route store.Route
	tasks []store.Delivery
}

// heldRun holds the deliveries of a session in one run, by lane.
type heldRun struct {
	number int64
	lanes  []*heldLane
}

// byRun sorts the deliveries of a session by run and lane, in the order in which they first appear.
func byRun(held []store.Delivery) []*heldRun {
	var runs []*heldRun
	index := make(map[int64]*heldRun)
	for _, d := range held {
		n := d.Lease.Lane.Run.Number
		run := index[n]
		if run == nil {
			run = &heldRun{number: n}
			index[n] = run
			runs = append(runs, run)
		}
		l := run.lane(d.Lease.Lane.Route)
		l.tasks = append(l.tasks, d)
	}
	return runs
}

func (r *heldRun) lane(route store.Route) *heldLane {
	for _, l := range r.lanes {
		if l.route == route {
			return l
		}
	}
	l := &heldLane{route: route}
	r.lanes = append(r.lanes, l)
	return l
}

// reclaimSlice gives back some of a session's deliveries. It returns how many it gave back, how
// many are left, and whether to repeat the call because data changed after it was read.
func (s *Store) reclaimSlice(
	ctx context.Context, k *format.Keyspace, said *store.SessionRecord, held []store.Delivery,
) (reclaimed, remaining int, again bool, err error) {
	runs := byRun(held)
	c := script.NewCall(k.Session(said.ID), k.Leases, k.Clock, k.Due, k.Hist, k.Trash, k.Terms, k.Routes, k.Index,
		k.Kept, k.Ledger)
	c.Add(k.Channel, said.ID).Int(len(runs))
	for _, r := range runs {
		if err := s.packReclaimedRun(ctx, c, k, r.number); err != nil {
			return 0, 0, false, err
		}
	}
	for _, r := range runs {
		s.packReclaimedTasks(c, k, said, r)
		if err := s.packDeadStages(ctx, c, k, said.ID, format.RunID(r.number)); err != nil {
			return 0, 0, false, err
		}
	}
	r, err := s.server.Run(ctx, script.Reclaim, c)
	switch {
	case err != nil:
		return 0, 0, false, err
	case len(r) == 1 && script.Text(r[0]) == "again":
		return 0, 0, true, nil
	case len(r) == 1 && script.Text(r[0]) == "open":
		return 0, 0, false, nil // the server lost writes, and the session is open again
	case len(r) != 2:
		return 0, 0, false, script.Unexpected(script.Reclaim, script.Text(r[0]))
	}
	return int(script.Number(r[0])), int(script.Number(r[1])), false, nil
}

// packReclaimedRun packs the keys of a run, also those that are needed if it goes on or ends.
func (s *Store) packReclaimedRun(ctx context.Context, c *script.Call, k *format.Keyspace, number int64) error {
	meta, _, err := s.meta(ctx, k, number)
	if err != nil {
		return err
	}
	run := format.RunID(number)
	base := c.Key(k.Run(run))
	c.Key(k.Lanes(run))
	c.Key(k.Stage(run))
	c.Key(k.Waiting(format.LaneName(run, meta.Post)))
	c.Key(k.Ring(meta.Post))
	c.Int(base).Add(run)
	return s.declareAside(ctx, c, k, number)
}

// packReclaimedTasks packs the tasks of a run in the form in which they will wait.
func (s *Store) packReclaimedTasks(c *script.Call, k *format.Keyspace, said *store.SessionRecord, r *heldRun) {
	c.Int(len(r.lanes))
	for _, l := range r.lanes {
		name := format.RouteName(l.route)
		at := c.Key(k.Recovered(format.LaneName(format.RunID(r.number), name)))
		c.Key(k.Ring(name))
		s.noteWork(k.Partition, name)
		c.Int(at).Add(name, l.route.Queue).Flag(l.route.Counted())
		c.Add(string(format.NeededState(l.route))).Int(len(l.tasks))
		for _, d := range l.tasks {
			task := d.Task.Reclaimed(said, d.Lease.Lane.Run, s.estimate())
			c.Add(format.LeaseField(d.Lease), string(format.AppendTask(nil, &task)))
			ids, digest, bucket := 0, "", ""
			if task.Claimed {
				d, n := format.Digest(task.ID)
				run := format.RunID(r.number)
				ids, digest, bucket = c.Key(k.IDs(run, n)), d, format.IDsName(run, n)
			}
			c.Int(ids).Add(digest, format.Millis(task.Keep), bucket)
		}
	}
}

// packDeadStages packs the staged lists that a session left in a run.
func (s *Store) packDeadStages(
	ctx context.Context, c *script.Call, k *format.Keyspace, session, run string,
) error {
	names, err := s.deadStages(ctx, k, session, run)
	if err != nil {
		return err
	}
	c.Int(len(names))
	for _, name := range names {
		c.Int(c.Key(k.Staged(run, name))).Add(name)
	}
	return nil
}

// deadStages returns the names of the staged lists that a session left in a run.
func (s *Store) deadStages(ctx context.Context, k *format.Keyspace, session, run string) ([]string, error) {
	all, err := s.client.Do(ctx, s.client.B().Hkeys().Key(k.Stage(run)).Build()).AsStrSlice()
	if err = script.Empty(s.server.Translate(ctx, "list staged children", err)); err != nil {
		return nil, err
	}
	var names []string
	for _, name := range all {
		if len(name) > 1 && strings.HasPrefix(name[1:], session+".") {
			names = append(names, name)
		}
	}
	return names, nil
}
