package repair

import (
	"context"
	"errors"
	"fmt"

	"github.com/redis/rueidis"

	"github.com/rollcall-go/rollcall/store"
	"github.com/rollcall-go/rollcall/store/damage"
	"github.com/rollcall-go/rollcall/store/redisstore/internal/format"
	"github.com/rollcall-go/rollcall/store/redisstore/internal/script"
	"github.com/rollcall-go/rollcall/store/statuses"
)

// repairTries is how often a run is counted if it changes meanwhile.
const repairTries = 5

func isCorrupt(err error) bool { return errors.Is(err, store.ErrCorrupt) }

// run repairs one run of the job.
func (r *repair) run(ctx context.Context, id string) error {
	if r.found.isWrong("run:" + id) {
		return nil // it no longer has a record
	}
	before := len(r.report.Damage)
	for try := 1; ; try++ {
		r.report.Damage = r.report.Damage[:before]
		x := &examination{repair: r, id: id}
		word, err := x.examine(ctx)
		if err != nil {
			return err
		}
		if word == "missing" {
			if r.p.Run != 0 {
				return store.ErrRunNotFound
			}
			return nil
		}
		if word == "still" || try == repairTries {
			if word == "moving" {
				n, _ := format.ParseInt(id)
				r.report.Moving = append(r.report.Moving, store.RunID{Job: r.p.Job, Number: n})
			}
			return x.quarantine(ctx)
		}
		if !r.p.DryRun {
			before = len(r.report.Damage) // fixes that were made stay
		}
	}
}

// examination is one read of a run: first its record, then the tasks that sessions hold, then its
// lanes. This is the reverse order of a task's way. So no task is counted twice, unless a fetch
// came between.
type examination struct {
	*repair
	id      string
	h       map[string]string
	status  statuses.Status
	lanes   []examinedLane
	is      counted
	hooks   map[string]bool       // kinds of hooks that were found
	claims  map[string]bool       // digests of IDs of tasks that were found
	tallies map[string]int64      // tasks that the run counts by kind or route, by field
	marked  map[store.Route]int64 // staged children that a dry run would mark again
	broken  []brokenTask          // tasks that cannot be decoded
}

type examinedLane struct {
	route                                store.Route
	waiting, recovered, delayed, markers int64
	staged                               int64
}

// brokenTask is a message that cannot be decoded, and where it waits.
type brokenTask struct {
	key, message, where string
	route               store.Route
	err                 error
}

func (x *examination) examine(ctx context.Context) (string, error) {
	k, b := x.k, x.server.Client.B
	x.tallies = make(map[string]int64)
	x.hooks, x.claims, x.marked = make(map[string]bool), make(map[string]bool), make(map[store.Route]int64)
	var err error
	if x.h, err = x.server.Client.Do(ctx, b().Hgetall().Key(k.Run(x.id)).Build()).AsStrMap(); err != nil {
		return "", x.server.Translate(ctx, "read a run", err, k.Run(x.id))
	}
	if len(x.h) == 0 {
		return "missing", nil
	}
	fixes := runFixes(x.id, x.h)
	x.status = statuses.Status(x.h["state"])
	for _, f := range fixes {
		if f.name == "state" {
			x.status = statuses.Status(f.set)
		}
	}
	if !x.status.Final() {
		if err := x.stagedLists(ctx); err != nil {
			return "", err
		}
		if err := x.readSessions(ctx); err != nil {
			return "", err
		}
	}
	if err := x.readLanes(ctx); err != nil {
		return "", err
	}
	x.count()
	if newest, err := x.server.Client.Do(ctx, b().Zrange().Key(k.Dead(x.id)).Min("-1").Max("-1").Withscores().Build()).AsZScores(); err == nil &&
		len(newest) > 0 {
		redone, _ := readCount(x.h, "redone")
		x.is.letters = max(0, int64(newest[0].Score)-redone) // its place: that many tasks had failed
	}
	return x.apply(ctx, fixes)
}

// count adds up the tasks that were found. Before the pre-job hook has passed, the root task waits
// in the record.
func (x *examination) count() {
	if x.status != statuses.Starting && x.status != statuses.Running {
		return // tasks left in its lanes are no longer part of it
	}
	for _, l := range x.lanes {
		if l.route.Counted() {
			x.is.pending += l.waiting + l.recovered + l.staged
			x.is.delayed += l.delayed
		}
	}
	for _, n := range x.marked {
		x.is.pending += n
	}
	if x.h["root"] != "" {
		x.is.pending++
	}
}

// missingHook returns the kind of the hook that is due but was not found.
func (x *examination) missingHook() string {
	switch {
	case x.status == statuses.Finishing && x.h["onfailure"] != "" && x.h["hookerror"] != "":
		return "" // it gave up, and holds the run
	case x.status == statuses.Finishing && !x.hooks[store.KindPostJob]:
		return "post"
	case x.status == statuses.Starting && !x.hooks[store.KindPreJob]:
		return "pre"
	}
	return ""
}

// quarantine removes tasks that cannot be decoded.
func (x *examination) quarantine(ctx context.Context) error {
	k, id, post := x.k, x.id, x.h["postroute"]
	hooks := false
	for _, t := range x.broken {
		if !x.p.DryRun {
			letter := format.EncodeFailure(&store.Outcome{
				Lease: store.Lease{Lane: store.Lane{Route: t.route}}, Error: t.err.Error(),
				Task: store.Task{Headers: map[string]string{store.HeaderCorrupt: t.err.Error()}},
			}, "repair")
			c := script.NewCall(t.key, k.Run(id), k.Dead(id), k.Hist, k.Trash, k.Clock, k.Lanes(id),
				k.Waiting(format.LaneName(id, post)), k.Ring(post), k.Routes, k.Failing, k.Index, k.Ledger, k.Due)
			c.Add(k.Channel, id, format.RouteName(t.route), t.message, t.where, letter, t.err.Error())
			reply, err := x.exec(ctx, script.Quarantine, c, id, func(reply []rueidis.RedisMessage) bool {
				return len(reply) == 1 && script.Number(reply[0]) == 1
			})
			if err != nil {
				return err
			}
			if len(reply) != 1 || script.Number(reply[0]) != 1 {
				continue // a worker was faster
			}
			hooks = hooks || t.where == ""
		}
		becomes := "it has failed"
		if t.where == "" {
			becomes = "it is removed, and the hook is due again"
		}
		x.add(damage.Task, id, "a task of lane "+format.RouteName(t.route), fmt.Sprintf("%v: %s", t.err, becomes))
	}
	if !hooks {
		return nil
	}
	told := x.report.Damage
	again := &examination{repair: x.repair, id: id}
	_, err := again.examine(ctx)
	x.report.Damage = told
	return err
}
