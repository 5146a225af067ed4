package redisstore

import (
	"context"

	"github.com/redis/rueidis"

	"github.com/rollcall-go/rollcall/internal/tasklist"
	"github.com/rollcall-go/rollcall/store"
	"github.com/rollcall-go/rollcall/store/bounds"
	"github.com/rollcall-go/rollcall/store/redisstore/internal/format"
	"github.com/rollcall-go/rollcall/store/redisstore/internal/script"
	"github.com/rollcall-go/rollcall/store/rules"
	"github.com/rollcall-go/rollcall/store/verdicts"
)

// taskChange is a change of the task that a listing seeks. One script finds the task in a place and
// changes it there, so nothing can move it in between.
type taskChange struct {
	*store.ChangeTaskParams
	meta   format.RunMeta
	digest string
	bucket int
	made   verdicts.Change
	line   string // of the audit
}

// done reports whether the task was found.
func (c *taskChange) done() bool { return c != nil && c.made != "" }

// ChangeTask implements [store.TaskChanges].
func (s *Store) ChangeTask(ctx context.Context, p store.ChangeTaskParams) (store.ChangeTaskReply, error) {
	var none store.ChangeTaskReply
	l, err := s.listing(ctx, &store.TasksParams{
		Run: p.Run, ID: p.ID, Claimed: p.Claimed, Cursor: p.Cursor, Limit: bounds.MaxPage,
	})
	if err != nil {
		return none, err
	}
	l.Unfailed = true
	l.change = &taskChange{ChangeTaskParams: &p}
	l.change.digest, l.change.bucket = format.Digest(p.ID)
	l.change.line = format.AuditLine(rules.NewAuditLine(ctx, p.Action(), p.Run, p.ID, ""))
	if l.change.meta, _, err = s.meta(ctx, l.space, p.Run.Number); err != nil {
		return none, err
	}
	if err := l.walk(ctx); err != nil {
		return none, err
	}
	next := l.at.String()
	switch {
	case l.change.done():
		return store.ChangeTaskReply{Change: l.change.made}, nil
	case next == "" && p.Cancel:
		made, err := l.remembered(ctx)
		return store.ChangeTaskReply{Change: made}, err
	}
	return store.ChangeTaskReply{Next: next}, nil
}

// remembered reads what the run remembers of the cancellation of the ID.
func (l *listing) remembered(ctx context.Context) (verdicts.Change, error) {
	key := l.space.Cancelled(l.run, l.change.digest)
	made, err := l.client.Do(ctx, l.client.B().Get().Key(key).Build()).ToString()
	if err != nil && !rueidis.IsRedisNil(err) {
		return "", l.server.Translate(ctx, "read a cancellation", err, key)
	}
	return verdicts.Change(made), nil
}

// changeIn is read for a change.
func (l *listing) changeIn(
	ctx context.Context, places []waitingPlace, passed int64, at func(*waitingPlace, int64) tasklist.Cursor,
) (ended bool, err error) {
	c := l.changeCall(passed)
	for i := range places {
		p := &places[i]
		route, _ := format.ParseRoute(p.cursor.Place)
		l.addPlace(c, p.key, route)
		c.Add(p.kind(), p.cursor.Place, "", p.marker)
	}
	next, passed, err := l.tryChange(ctx, c)
	switch {
	case err != nil || l.change.done():
		return false, err
	case next > len(places):
		return false, script.Unexpected(script.ChangeTask, "places")
	case next == len(places):
		return true, nil
	}
	l.at = at(&places[next], passed)
	return false, nil
}

// changeAt changes the task that was found in a session, or that waits in the run itself. It
// reports whether to go on, as the task has left that place.
func (l *listing) changeAt(ctx context.Context, kind, key, field string) (going bool, err error) {
	rec := l.reply.Tasks[len(l.reply.Tasks)-1]
	l.reply.Tasks = nil
	if !l.change.Cancel {
		l.change.made = verdicts.ChangeNotDelayed
		return false, nil
	}
	c := l.changeCall(0)
	l.addPlace(c, key, rec.Route)
	c.Add(kind, format.RouteName(rec.Route), field, "")
	left := l.left
	_, _, err = l.tryChange(ctx, c)
	l.left = left
	return !l.change.done(), err
}

// changeCall begins a call of the script.
func (l *listing) changeCall(passed int64) *script.Call {
	k, run, post := l.space, l.run, l.change.meta.Post
	c := script.NewCall(
		k.Run(run), k.Clock, k.Due, k.Hist, k.Trash, k.Routes, k.Kept, k.Lanes(run),
		k.Waiting(format.LaneName(run, post)), k.Ring(post), k.IDs(run, l.change.bucket), k.Index,
		k.Cancelled(run, l.change.digest),
	)
	c.Add(k.Channel, l.change.line, run, l.ID).Flag(l.Claimed)
	c.Add(l.change.digest, format.IDsName(run, l.change.bucket)).Add(format.Millis(bounds.StreamKept))
	c.Flag(l.change.Cancel)
	if due := l.change.Due; due.IsZero() {
		c.Add("")
	} else {
		c.Int64(max(millis(due), 1))
	}
	return c.Int(l.left).Int64(passed)
}

// addPlace declares a place and its lane.
func (l *listing) addPlace(c *script.Call, key string, route store.Route) {
	name := format.RouteName(route)
	lane := format.LaneName(l.run, name)
	k := l.space
	c.Keys = append(c.Keys, key, k.Waiting(lane), k.Recovered(lane), k.Markers(lane), k.Ring(name))
}

// tryChange makes a call. It returns the place where it stopped, and how many of its tasks were
// passed.
func (l *listing) tryChange(ctx context.Context, c *script.Call) (place int, passed int64, err error) {
	c.Key(l.space.Audit)
	word, rest, err := l.server.Word(ctx, script.ChangeTask, c)
	switch {
	case err != nil:
		return 0, 0, err
	case word == "missing":
		return 0, 0, store.ErrRunNotFound
	case word != "ok" || len(rest) != 4:
		return 0, 0, script.Unexpected(script.ChangeTask, word)
	}
	l.left = int(script.Number(rest[2]))
	l.change.made = verdicts.Change(script.Text(rest[3]))
	return int(script.Number(rest[0])), script.Number(rest[1]), nil
}
