package redisstore

import (
	"context"
	"errors"
	"slices"

	"github.com/redis/rueidis"

	"github.com/rollcall-go/rollcall/internal/lifecycle"
	"github.com/rollcall-go/rollcall/store"
	"github.com/rollcall-go/rollcall/store/bounds"
	"github.com/rollcall-go/rollcall/store/redisstore/internal/format"
	"github.com/rollcall-go/rollcall/store/redisstore/internal/script"
)

// promoteSlice is the largest number of tasks that one call of promote moves.
const promoteSlice = bounds.MaxBatch

// Promote implements [store.Keeper]. The first call of the script learns which lanes are due, the
// second moves their tasks. Both tell of periodic jobs that are due, each of one once, and of runs
// that were left idle or have reached their deadlines, which are ended.
func (s *Store) Promote(ctx context.Context, partition int) (store.PromoteReply, error) {
	k := s.spaces[partition]
	var reply store.PromoteReply
	var due []string
	for range 2 {
		c := script.NewCall(k.Due, k.Clock, k.Routes).Add(k.Channel).Int(promoteSlice)
		ended, err := s.packDue(ctx, k, c, due)
		if err != nil {
			return reply, err
		}
		reply.Ended = append(reply.Ended, ended...)
		r, err := s.server.Run(ctx, script.Promote, c)
		if err != nil {
			return reply, err
		}
		if len(r) < 4 {
			return reply, script.Unexpected(script.Promote, "")
		}
		jobs, err := r[3].ToArray()
		if err != nil {
			return reply, script.Unexpected(script.Promote, "")
		}
		reply.Promoted += int(script.Number(r[0]))
		reply.Jobs = append(reply.Jobs, stringsOf(jobs)...)
		reply.Now, reply.Next = format.ParseMillis(script.Text(r[1])), format.ParseMillis(script.Text(r[2]))
		s.observe(reply.Now)
		due = stringsOf(r[4:])
		reply.More = len(due) > 0
		if !reply.More {
			break
		}
	}
	return reply, nil
}

// packDue packs the lanes that are due. It ends the runs among them, so that the script finds them
// no longer, and takes out what is neither.
func (s *Store) packDue(
	ctx context.Context, k *format.Keyspace, c *script.Call, due []string,
) (ended []store.RunID, err error) {
	count := c.Reserve()
	n := 0
	var ends, damaged []string
	for _, name := range due {
		_, idle := k.IdleRun(name)
		if _, overdue := k.OverdueRun(name); idle || overdue {
			ends = append(ends, name)
			continue
		}
		id, route, ok := format.ParseLane(name)
		if !ok {
			damaged = append(damaged, name)
			continue
		}
		c.Key(k.Run(id))
		c.Key(k.Waiting(name))
		c.Key(k.Delayed(name))
		c.Key(k.Ring(format.RouteName(route)))
		c.Add(id, format.RouteName(route), route.Queue, string(format.NeededState(route)))
		s.noteWork(k.Partition, format.RouteName(route))
		n++
	}
	c.Set(count, n)
	if len(damaged) > 0 {
		s.config.Logger.ErrorContext(
			ctx,
			"a due time has a damaged name",
			"partition",
			k.Partition,
			"names",
			len(damaged),
		)
		if err := s.client.Do(ctx, s.client.B().Zrem().Key(k.Due).Member(damaged...).Build()).Error(); err != nil {
			return nil, s.server.Translate(ctx, "promote", err)
		}
	}
	return s.endDue(ctx, k, ends)
}

// endDue ends runs at their times, and returns those that have a final state then.
func (s *Store) endDue(ctx context.Context, k *format.Keyspace, names []string) ([]store.RunID, error) {
	ended := make([]store.RunID, len(names))
	err := each(ctx, names, func(ctx context.Context, name string) (err error) {
		number, overdue := k.OverdueRun(name)
		var rest []rueidis.RedisMessage
		if overdue {
			rest, err = s.stopOverdue(ctx, k, format.RunID(number))
		} else {
			number, _ = k.IdleRun(name)
			rest, err = s.endIdle(ctx, k, number)
		}
		if len(rest) == 1 {
			ended[slices.Index(names, name)] = store.RunID{Job: script.Text(rest[0]), Number: number}
		}
		return err
	})
	return slices.DeleteFunc(ended, func(id store.RunID) bool { return id.Number == 0 }), err
}

// Sweep implements [store.Keeper].
func (s *Store) Sweep(ctx context.Context, partition int) (store.SweepReply, error) {
	k := s.spaces[partition]
	c := script.NewCall(
		k.Meta, k.Leases, k.Trash, k.Hist, k.Kept, k.Terms, k.Routes, k.Listed, k.Series, k.Times, k.Taken,
	).Add(format.Millis(s.config.SweepInterval))
	r, err := s.server.Run(ctx, script.Sweep, c)
	if err != nil {
		return store.SweepReply{}, err
	}
	if len(r) != 8 {
		return store.SweepReply{}, script.Unexpected(script.Sweep, "")
	}
	var lists [6][]string
	for i := range lists {
		ms, err := r[i].ToArray()
		if err != nil {
			return store.SweepReply{}, script.Unexpected(script.Sweep, "")
		}
		lists[i] = stringsOf(ms)
	}
	sessions, trash, expired, kept, routes := lists[0], lists[1], lists[2], lists[3], lists[4]
	var reply store.SweepReply
	// One damaged record must not prevent the sweep of everything else.
	var errs []error
	for _, id := range sessions {
		n, err := s.reclaim(ctx, store.SessionID{Partition: partition, ID: id}, false)
		reply.Sessions++
		reply.Reclaimed += n
		errs = append(errs, err)
	}
	errs = append(errs, s.releaseKept(ctx, k, kept))
	reply.Purged = len(trash) + len(expired)
	errs = append(errs,
		s.purge(ctx, k, trash...),
		each(ctx, expired, func(ctx context.Context, id string) error {
			err := s.forget(ctx, k, id, "", true, forgetLines{})
			if errors.Is(err, store.ErrRunActive) {
				return nil // a server that lost writes listed it again, or a manual change did
			}
			return err
		}))
	forgotten, err := s.forgetRoutes(ctx, k, routes)
	errs = append(errs, err)
	gone, err := s.unlist(ctx, k, lists[5])
	errs = append(errs, err, s.noteHistory(ctx, k, format.ParseMillis(script.Text(r[6])), r[7]))
	if err := errors.Join(errs...); err != nil {
		return reply, err
	}
	reply.More = len(sessions) == 16 || len(trash) == 64 || len(expired) == 64 || len(kept) == 64 || forgotten > 0 ||
		gone > unlistSlice/8
	return reply, nil
}

// each calls fn for all runs of a slice together, so that they share round trips. One by one, a
// sweep would be too slow if many small runs end.
func each(ctx context.Context, ids []string, fn func(ctx context.Context, id string) error) error {
	errs := make([]error, len(ids))
	group := lifecycle.New(ctx)
	for i, id := range ids {
		group.Go(func(ctx context.Context) { errs[i] = fn(ctx, id) })
	}
	group.Wait()
	return errors.Join(errs...)
}

// endIdle ends an open run if it is still idle.
func (s *Store) endIdle(ctx context.Context, k *format.Keyspace, number int64) ([]rueidis.RedisMessage, error) {
	meta, _, err := s.meta(ctx, k, number)
	if err != nil {
		return nil, err
	}
	id := format.RunID(number)
	c := script.NewCall(k.Run(id), k.Due, k.Holds(id), k.Clock, k.Hist, k.Trash, k.Lanes(id),
		k.Waiting(format.LaneName(id, meta.Post)), k.Ring(meta.Post), k.Routes, k.Index)
	_, rest, err := s.server.Word(ctx, script.EndIdle, c.Add(k.Channel, id, store.IdleReason))
	return rest, err
}

// stopOverdue stops a run if its deadline has passed.
func (s *Store) stopOverdue(ctx context.Context, k *format.Keyspace, id string) ([]rueidis.RedisMessage, error) {
	c := script.NewCall(k.Run(id), k.Hist, k.Trash, k.Index, k.Due, k.Audit)
	c.Add(k.Channel, id).Flag(false).Add(store.DeadlineReason).Flag(true).Add("")
	_, rest, err := s.server.Word(ctx, script.StopRun, c)
	return rest, err
}

// releaseKept removes claimed IDs whose time is over.
func (s *Store) releaseKept(ctx context.Context, k *format.Keyspace, buckets []string) error {
	if len(buckets) == 0 {
		return nil
	}
	c := script.NewCall(k.Kept)
	for _, name := range buckets {
		c.Key(k.Prefix + "ids:" + name)
		c.Add(name)
	}
	_, err := s.server.Run(ctx, script.ReleaseKept, c)
	return err
}

// forgetRoutes removes routes without work, and returns how many.
func (s *Store) forgetRoutes(ctx context.Context, k *format.Keyspace, routes []string) (int, error) {
	if len(routes) == 0 {
		return 0, nil
	}
	c := script.NewCall(k.Routes, k.Clock, k.Ledger, k.Gone).Int(bounds.MaxIdleRoutes)
	for _, route := range routes {
		c.Key(k.Ring(route))
		c.Add(route)
	}
	r, err := s.server.Run(ctx, script.ForgetRoutes, c)
	if err != nil {
		return 0, err
	}
	if len(r) != 1 {
		return 0, script.Unexpected(script.ForgetRoutes, "")
	}
	return int(script.Number(r[0])), nil
}
