package redisstore

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/rollcall-go/rollcall/store"
	"github.com/rollcall-go/rollcall/store/redisstore/internal/format"
	"github.com/rollcall-go/rollcall/store/redisstore/internal/script"
	"github.com/rollcall-go/rollcall/store/statuses"
	"github.com/rollcall-go/rollcall/store/verdicts"
)

// Settle implements [store.Sessions].
func (s *Store) Settle(ctx context.Context, p store.SettleParams) (store.SettleReply, error) {
	ses := s.session(p.Session)
	for range hintTries {
		reply, again, err := s.settleOnce(ctx, &p, ses)
		if !again {
			return reply, err
		}
	}
	return store.SettleReply{}, tooManyAgain("settle")
}

// settleOnce makes one call. It returns true if unknown lanes stand aside: then repeat it.
func (s *Store) settleOnce(
	ctx context.Context, p *store.SettleParams, ses *session,
) (_ store.SettleReply, again bool, _ error) {
	k := s.spaces[p.Session.Partition]
	st := settlement{batch: newBatch(s, k), params: p, aside: ses.aside, fields: make([]byte, 0, 48*len(p.Outcomes))}
	st.Args = make([]string, 0, 16+2*len(p.Outcomes))
	if err := st.gather(ctx, s); err != nil {
		return store.SettleReply{}, false, err
	}
	word, rest, err := s.server.Word(ctx, script.Settle, st.Call)
	switch {
	case err != nil:
		return store.SettleReply{}, false, err
	case word == "lost":
		s.forgetSession(p.Session)
		return store.SettleReply{}, false, store.ErrLeaseLost
	case word == "stale":
		return store.SettleReply{}, false, store.ErrStale
	case word == "again" && len(rest) == 2:
		ses.aside.learn(st.runs[script.Number(rest[0])-1].id.Number, script.Text(rest[1]))
		return store.SettleReply{}, true, nil
	case word != "ok" || len(rest) != 1:
		return store.SettleReply{}, false, script.Unexpected(script.Settle, word)
	}
	ses.stock.noteSettled(&st)
	reply, err := st.decode(script.Text(rest[0]))
	return reply, false, err
}

// settlement packs one call of the settle script.
type settlement struct {
	*batch
	params *store.SettleParams
	aside  asides

	runs     []*settledRun
	lanes    map[string]int
	ordinals []int   // counted and specials as they were packed, as indexes of outcomes
	plains   [][]int // the plain successes by run and route, likewise
	foreign  []int   // outcomes with a lease that this session cannot have
	fields   []byte
}

// settledRun holds the outcomes of one run in a batch.
type settledRun struct {
	id       store.RunID
	base     int
	routes   []*settledRoute
	specials []int
	released []int
	meta     format.RunMeta
}

func (st *settlement) gather(ctx context.Context, s *Store) error {
	k, c := st.space, st.Call
	grows := false
	var last *settledRun
	for i := range st.params.Outcomes {
		o := &st.params.Outcomes[i]
		if id := o.Lease.Lane.Run; last == nil || last.id.Number != id.Number {
			var err error
			if last, err = st.run(ctx, s, id); err != nil {
				return err
			}
		}
		if o.Lease.Session != st.params.Session.ID || o.Lease.Lane.Run.Job != last.id.Job {
			st.foreign = append(st.foreign, i)
			continue
		}
		switch {
		case st.isPlain(o) && len(o.Counters) > 0:
			some := last.of(&o.Lease.Lane.Route)
			some.counted = append(some.counted, i)
		case st.isPlain(o):
			some := last.of(&o.Lease.Lane.Route)
			some.plain = append(some.plain, i)
		case o.Verdict == verdicts.Release:
			// Each task is put at the front, so the last one is packed first.
			last.released = append([]int{i}, last.released...)
		default:
			last.specials = append(last.specials, i)
		}
		grows = grows || o.Grows()
	}
	c.Keys = append(c.Keys, k.Session(st.params.Session.ID), k.Clock, k.Due, k.Hist, k.Trash, k.Routes, k.Kept)
	c.Keys = append(c.Keys, k.Failing, k.Index, k.Ledger)
	c.Add(k.Channel).Int64(st.params.Number).Answered(st.params.Answered).Flag(grows).Int(len(st.runs))
	for _, r := range st.runs {
		id := format.RunID(r.id.Number)
		r.base = c.Key(k.Run(id))
		c.Key(k.Lanes(id))
		c.Key(k.Dead(id))
		c.Key(k.Stage(id))
		c.Key(k.Waiting(format.LaneName(id, r.meta.Post)))
		c.Key(k.Ring(r.meta.Post))
		c.Int(r.base).Add(id)
		st.rings(r)
	}
	for _, r := range st.runs {
		c.Int(len(r.routes))
		for _, some := range r.routes {
			c.Add(format.RouteName(some.route))
			st.plain(some)
			st.counted(some)
		}
		specials := slices.Concat(r.specials, r.released)
		c.Int(len(specials))
		for _, i := range specials {
			st.ordinals = append(st.ordinals, i)
			st.special(r, &st.params.Outcomes[i])
		}
	}
	st.times()
	return nil
}

// run finds the run of an ID in the batch, or adds it. An ID with the name of another job does not
// match.
func (st *settlement) run(ctx context.Context, s *Store, id store.RunID) (*settledRun, error) {
	for _, r := range st.runs {
		if r.id.Number == id.Number {
			return r, nil
		}
	}
	meta, ok, err := s.meta(ctx, st.space, id.Number)
	if err != nil {
		return nil, err
	}
	if ok {
		id.Job = meta.Job
	}
	r := &settledRun{id: id, meta: meta}
	st.runs = append(st.runs, r)
	return r, nil
}

// rings declares the rings of lanes that stand aside, if an outcome may let the run go on.
func (st *settlement) rings(r *settledRun) {
	lets := false
	var lanes []string
	for _, list := range [][]int{r.specials, r.released} {
		for _, i := range list {
			o := &st.params.Outcomes[i]
			lets = lets || o.Lease.Tallied || o.Verdict == verdicts.Begin
			if o.Lease.Tallied {
				lanes = append(lanes, format.RouteName(o.Lease.Lane.Route))
			}
		}
	}
	if !lets {
		st.Int(-1)
		return
	}
	st.aside.declare(st.Call, st.space, r.id.Number, lanes)
}

// lane declares the keys of a lane once for each call.
func (st *settlement) lane(run, route string) int {
	name := format.LaneName(run, route)
	if i, ok := st.lanes[name]; ok {
		return i
	}
	if st.lanes == nil {
		st.lanes = make(map[string]int)
	}
	st.lanes[name] = st.laneKeys(run, route, true)
	st.Key(st.space.Markers(name))
	return st.lanes[name]
}

// special packs one outcome that is not a plain success.
func (st *settlement) special(r *settledRun, o *store.Outcome) {
	c := st.Call
	run, verdict := format.RunID(r.id.Number), o.Verdict
	letter := verdictLetters[verdict]
	if verdict == verdicts.Success && len(o.Writes) > 0 {
		letter = "W"
	}
	c.Add(letter, st.leaseField(&o.Lease))
	length := c.Reserve()
	if letter == "W" {
		st.writes(o.Writes)
	}
	st.staged(run, o)
	st.claim(run, &o.Task)
	if o.Task.Claimed {
		_, bucket := format.Digest(o.Task.ID)
		c.Add(format.Millis(o.Task.Keep), format.IDsName(run, bucket))
	} else {
		c.Add("0", "")
	}

	switch verdict {
	case verdicts.Success:
		c.Add(encodeCounters(o.Counters))
		st.result(run, o)
		groups := st.group(len(o.Children), func(i int) (int64, *store.Item) { return r.id.Number, &o.Children[i] })
		c.Int(len(groups))
		for _, g := range groups {
			st.addGroup(g)
		}
	case verdicts.Fail:
		c.Add(format.EncodeFailure(o, st.params.Worker), o.Error)
	case verdicts.Retry, verdicts.Snooze, verdicts.Release:
		st.waitsAgain(run, o)
	case verdicts.StopRun:
		c.Add(o.Error)
	case verdicts.Begin:
		st.begins(r, run)
	case verdicts.Skip:
		c.Add(string(statuses.Skipped), o.Error)
	case verdicts.Abort:
		c.Add(string(statuses.Failed), o.Error)
	case verdicts.HookDone:
		c.Add(o.Error, string(o.Result))
	}
	c.Set(length, len(c.Args)-length-1)
}

// result packs the result of a task in the form that keep_result.lua reads.
func (st *settlement) result(run string, o *store.Outcome) {
	r, ok := o.TaskResult()
	if !ok {
		st.Int(0)
		return
	}
	st.Int(st.Key(st.space.Results(run))).Add(r.Group(), r.ID)
	st.Int64(format.CeilMillis(o.Keep.Age)).Int(o.Keep.Number).Add(string(r.Data))
}

// waitsAgain packs a task that is not done. It waits behind the others, or in front of them.
func (st *settlement) waitsAgain(run string, o *store.Outcome) {
	c, route := st.Call, o.Lease.Lane.Route
	name := format.RouteName(route)
	lane := st.lane(run, name)
	c.Int(lane).Add(name, route.Queue).Flag(route.Counted())
	switch {
	case o.Verdict != verdicts.Release:
		c.Flag(o.Verdict == verdicts.Retry).Int64(format.CeilMillis(o.Delay)).Add(o.Error)
	case o.Task.Recovered:
		c.Int(c.Key(st.space.Recovered(format.LaneName(run, name))))
	default:
		c.Int(lane)
	}
	task := o.Task
	if o.Verdict != verdicts.Release {
		task.Recovered, task.Ready = false, st.now.Add(o.Delay)
	}
	c.Add(string(format.AppendTask(nil, &task)))
}

// begins packs the lane of the root, if the run has one.
func (st *settlement) begins(r *settledRun, run string) {
	if r.meta.Root == "" {
		st.Add("0", "", "")
		return
	}
	root, _ := format.ParseRoute(r.meta.Root)
	st.Int(st.lane(run, r.meta.Root)).Add(r.meta.Root, root.Queue)
}

// staged packs the staged children of a delivery.
func (st *settlement) staged(run string, o *store.Outcome) {
	c := st.Call
	c.Int(len(o.Staged))
	if len(o.Staged) == 0 {
		return
	}
	delivery := format.DeliveryName(o.Lease)
	c.Add(delivery)
	for i := range o.Staged {
		route := o.Staged[i].Route
		name := format.RouteName(route)
		c.Int(st.lane(run, name)).
			Int(st.stagedLists(run, delivery, route)).
			Add(name, route.Queue).
			Int(o.Staged[i].Count)
	}
}

// decode reads "number lost|losses|ended|refused": ordinals of specials, ordinal:count of the plain
// successes of a run and route, runs, and ordinal:word of specials.
func (st *settlement) decode(record string) (store.SettleReply, error) {
	_, record, _ = strings.Cut(record, " ")
	parts := strings.Split(record, "|")
	if len(parts) != 4 {
		return store.SettleReply{}, script.Unexpected(script.Settle, record)
	}
	reply := store.SettleReply{Lost: st.foreign}
	var errs []error
	each := func(list string, limit int, fn func(n int)) {
		for item := range strings.SplitSeq(list, ",") {
			if item == "" {
				continue
			}
			n, err := strconv.Atoi(item)
			if err != nil || n < 1 || n > limit {
				errs = append(
					errs, fmt.Errorf("%w: the reply to a settlement is of another batch", store.ErrResultUnknown),
				)
				continue
			}
			fn(n - 1)
		}
	}
	each(parts[0], len(st.ordinals), func(n int) { reply.Lost = append(reply.Lost, st.ordinals[n]) })
	for item := range strings.SplitSeq(parts[1], ",") {
		if item == "" {
			continue
		}
		ordinal, losses, _ := strings.Cut(item, ":")
		each(ordinal, len(st.plains), func(n int) {
			plain := st.plains[n]
			// The script removes these leases in one step. It knows how many were gone, but not which.
			each(losses, len(plain), func(m int) { reply.Lost = append(reply.Lost, plain[len(plain)-m-1:]...) })
		})
	}
	each(parts[2], len(st.runs), func(n int) { reply.Ended = append(reply.Ended, st.runs[n].id) })
	for item := range strings.SplitSeq(parts[3], ",") {
		if item == "" {
			continue
		}
		ordinal, word, _ := strings.Cut(item, ":")
		each(ordinal, len(st.ordinals), func(n int) {
			i := st.ordinals[n]
			err := store.ErrChildrenLost
			if word != "children" {
				err = refusedWrite(st.params.Outcomes[i].Writes, word)
			}
			reply.Refused = append(reply.Refused, store.Refusal{Index: i, Err: err})
		})
	}
	slices.Sort(reply.Lost)
	return reply, errors.Join(errs...)
}

// noteSettled records the routes that got work, so that this session need not wait for the signal.
func (k *stock) noteSettled(st *settlement) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if !k.wide {
		return
	}
	for i := range st.params.Outcomes {
		o := &st.params.Outcomes[i]
		k.signalled[format.RouteName(o.Lease.Lane.Route)] = true
		for j := range o.Children {
			k.signalled[format.RouteName(o.Children[j].Route)] = true
		}
		for _, s := range o.Staged {
			k.signalled[format.RouteName(s.Route)] = true
		}
	}
	for _, r := range st.runs {
		k.signalled[r.meta.Post], k.signalled[r.meta.Root] = true, true
		for _, route := range st.aside[r.id.Number] {
			k.signalled[route] = true
		}
	}
}
