package redisstore

import (
	"context"
	"errors"
	"strings"

	"github.com/rollcall-go/rollcall/store"
	"github.com/rollcall-go/rollcall/store/actions"
	"github.com/rollcall-go/rollcall/store/bounds"
	"github.com/rollcall-go/rollcall/store/redisstore/internal/format"
	"github.com/rollcall-go/rollcall/store/redisstore/internal/script"
)

// RedoFailures implements [store.Producers]. It reads a page of the failures, and passes each that
// is selected to the script, with its task as it will wait. What belongs to a place never changes,
// so it is right whenever the script finds the place. The script is called even if the run is gone:
// it may be the repeat of a call that was applied.
func (s *Store) RedoFailures(ctx context.Context, p store.RedoParams) (store.RedoReply, error) {
	meta, page, err := s.toRedo(ctx, &p)
	number := p.Run.Number
	switch {
	case errors.Is(err, store.ErrRunNotFound):
		number = 0 // the number may be of a run of another job; no run has 0
	case err != nil:
		return store.RedoReply{}, err
	}
	line, run := "", int64(0)
	if p.Audit != nil {
		line, run = format.AuditLine(*p.Audit), p.Audit.Run
	}
	k, id := s.spaces[p.Partition], format.RunID(number)
	b := newBatch(s, k)
	b.Keys = append(b.Keys, k.Producer(p.Stream), k.Run(id), k.Dead(id), k.Lanes(id), k.Clock, k.Routes, k.Failing,
		k.Hist, k.Trash, k.Index, k.Waiting(format.LaneName(id, meta.Post)), k.Ring(meta.Post), k.Due)
	b.Add(k.Channel).Int64(p.Number).Add(format.Millis(bounds.StreamKept), id, line, format.RunID(run), string(p.Action))
	var next int64
	if len(page) > 0 {
		next = page[len(page)-1].Place
	}
	b.Int64(next)
	b.redone(id, &p, page)
	b.Key(k.Audit)
	word, rest, err := s.server.Word(ctx, script.RedoFailures, b.Call)
	switch {
	case err != nil:
		return store.RedoReply{}, err
	case word == "ok" && len(rest) == 1:
		return decodeRedoReply(script.Text(rest[0]))
	case word == "unknown":
		return store.RedoReply{}, store.ErrResultUnknown
	case word == "stale":
		return store.RedoReply{}, store.ErrStale
	case word == "missing":
		return store.RedoReply{}, store.ErrRunNotFound
	case word == "stopped":
		return store.RedoReply{}, store.ErrJobStopped
	case word == "finished":
		return store.RedoReply{}, store.ErrRunFinished
	case word == "idle":
		return store.RedoReply{}, store.ErrNotHeld
	}
	return store.RedoReply{}, script.Unexpected(script.RedoFailures, word)
}

// toRedo reads what the keys of the run need, and the failures that a call looks at.
func (s *Store) toRedo(
	ctx context.Context,
	p *store.RedoParams,
) (meta format.RunMeta, page []store.Failure, err error) {
	meta, ok, err := s.meta(ctx, s.spaces[p.Partition], p.Run.Number)
	if err == nil && (!ok || meta.Job != p.Run.Job) {
		err = store.ErrRunNotFound
	}
	if err == nil && p.Action.Moves() {
		page, err = s.Failures(ctx, p.Page())
	}
	return meta, page, err
}

// redoneLane is a lane to which tasks go back.
type redoneLane struct{ ordinal, longest int }

// redone packs the lanes, and the failures that are selected.
func (b *batch) redone(run string, p *store.RedoParams, page []store.Failure) {
	lanes, routes := make(map[store.Route]*redoneLane), []store.Route(nil)
	failures, n, unreadable := script.NewCall(), 0, 0
	matches := p.Matcher()
	for i := range page {
		f := &page[i]
		task, readable := f.Redone()
		switch {
		case !matches(f):
			continue
		case p.Action == actions.RedoDiscard:
			failures.Int64(f.Place).Add("0", "", "0", "")
			n++
			continue
		case !readable:
			unreadable++
			continue
		}
		lane := lanes[f.Lane.Route]
		if lane == nil {
			routes = append(routes, f.Lane.Route)
			lane = &redoneLane{ordinal: len(routes)}
			lanes[f.Lane.Route] = lane
		}
		message := string(format.AppendTask(nil, &task))
		lane.longest = max(lane.longest, len(message))
		failures.Int64(f.Place).Int(lane.ordinal).Add(message)
		n++
		if !task.Claimed {
			failures.Add("0", "")
			continue
		}
		digest, bucket := format.Digest(task.ID)
		failures.Int(b.bucket(run, bucket)).Add(digest)
	}
	b.Int(len(routes))
	for _, route := range routes {
		name := format.RouteName(route)
		at := b.Key(b.space.Waiting(format.LaneName(run, name)))
		b.Key(b.space.Ring(name))
		b.Int(at).Add(name, route.Queue).Int(lanes[route].longest)
	}
	b.Int(n).Add(failures.Args...).Int(unreadable)
}

// decodeRedoReply reads "number moved in-use unreadable gone next".
func decodeRedoReply(record string) (reply store.RedoReply, err error) {
	fields := strings.Fields(record)
	into := []*int64{&reply.Moved, &reply.InUse, &reply.Unreadable, &reply.Gone, &reply.Next}
	if len(fields) != 1+len(into) {
		return reply, script.Unexpected(script.RedoFailures, record)
	}
	for i, field := range fields[1:] {
		if *into[i], err = format.ParseInt(field); err != nil {
			return reply, script.Unexpected(script.RedoFailures, record)
		}
	}
	return reply, nil
}
