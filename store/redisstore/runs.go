package redisstore

import (
	"context"
	"fmt"

	"github.com/rollcall-go/rollcall/store"
	"github.com/rollcall-go/rollcall/store/actions"
	"github.com/rollcall-go/rollcall/store/redisstore/internal/format"
	"github.com/rollcall-go/rollcall/store/redisstore/internal/script"
	"github.com/rollcall-go/rollcall/store/rules"
)

// Run implements [store.Runs].
func (s *Store) Run(ctx context.Context, id store.RunID) (store.RunRecord, error) {
	if err := s.server.Begin(ctx); err != nil {
		return store.RunRecord{}, err
	}
	key := s.space(id.Job).Run(format.RunID(id.Number))
	h, err := s.client.Do(ctx, s.client.B().Hgetall().Key(key).Build()).AsStrMap()
	if err != nil {
		return store.RunRecord{}, s.server.Translate(ctx, "read a run", err, key)
	}
	return format.DecodeRun(id, h, s.estimate())
}

// StopRun implements [store.Runs].
func (s *Store) StopRun(ctx context.Context, p store.StopParams) error {
	k, id := s.space(p.Run.Job), format.RunID(p.Run.Number)
	if err := s.own(ctx, p.Run); err != nil {
		return err
	}
	c := script.NewCall(k.Run(id), k.Hist, k.Trash, k.Index, k.Due, k.Audit)
	c.Add(k.Channel, id).Flag(p.Graceful).Add(p.Reason).Flag(false)
	c.Add(format.AuditLine(rules.NewAuditLine(ctx, actions.Stop, p.Run, "", p.Reason)))
	word, _, err := s.server.Word(ctx, script.StopRun, c)
	return runWord(script.StopRun, word, err)
}

// own checks that a run belongs to the job of its ID. Numbers are unique in a partition, and a
// partition has many jobs.
func (s *Store) own(ctx context.Context, id store.RunID) error {
	if err := s.server.Begin(ctx); err != nil {
		return err
	}
	meta, ok, err := s.meta(ctx, s.space(id.Job), id.Number)
	if err != nil {
		return err
	}
	if !ok || meta.Job != id.Job {
		return store.ErrRunNotFound
	}
	return nil
}

// strange reports whether an ID has the number of a run but the name of another job. Scripts find
// runs only by number.
func (s *Store) strange(ctx context.Context, k *format.Keyspace, id store.RunID) (bool, error) {
	meta, ok, err := s.meta(ctx, k, id.Number)
	return ok && meta.Job != id.Job, err
}

// numbers returns the numbers with which scripts find these runs. For a strange ID it is 0, which
// no run has.
func (s *Store) numbers(
	ctx context.Context, k *format.Keyspace, all func(see func(store.RunID)),
) (func(store.RunID) int64, error) {
	var known store.RunID
	var strangers map[store.RunID]bool // usually none
	var failed error
	all(func(id store.RunID) {
		if id == known || failed != nil || strangers[id] {
			return
		}
		strange, err := s.strange(ctx, k, id)
		if known, failed = id, err; strange {
			if strangers == nil {
				strangers = make(map[store.RunID]bool)
			}
			strangers[id] = true
		}
	})
	return func(id store.RunID) int64 {
		if strangers[id] {
			return 0
		}
		return id.Number
	}, failed
}

func runWord(sc *script.Script, word string, err error) error {
	switch {
	case err != nil:
		return err
	case word == "ok":
		return nil
	case word == "missing":
		return store.ErrRunNotFound
	case word == "finished":
		return store.ErrRunFinished
	}
	return script.Unexpected(sc, word)
}

// SetRunPaused implements [store.Runs].
func (s *Store) SetRunPaused(ctx context.Context, run store.RunID, paused bool) error {
	if err := s.own(ctx, run); err != nil {
		return err
	}
	k, id := s.space(run.Job), format.RunID(run.Number)
	line := format.AuditLine(rules.NewAuditLine(ctx, actions.PauseOrResume(paused), run, "", ""))
	for range hintTries {
		c := script.NewCall(k.Run(id), k.Clock, k.Lanes(id), k.Routes, k.Index).Add(k.Channel, id).Flag(paused).Add(line)
		var routes []string
		if !paused {
			var err error
			routes, err = s.client.Do(ctx, s.client.B().Smembers().Key(k.Lanes(id)).Build()).AsStrSlice()
			if err != nil {
				return s.server.Translate(ctx, "list lanes", err)
			}
		}
		c.Int(len(routes))
		for _, name := range routes {
			lane := format.LaneName(id, name)
			c.Key(k.Waiting(lane))
			c.Key(k.Recovered(lane))
			c.Key(k.Markers(lane))
			c.Key(k.Ring(name))
			route, _ := format.ParseRoute(name)
			c.Add(route.Queue)
		}
		c.Key(k.Audit)
		word, _, err := s.server.Word(ctx, script.PauseRun, c)
		if err == nil && word == "again" {
			continue
		}
		return runWord(script.PauseRun, word, err)
	}
	return store.Transient(fmt.Errorf("resume run %d of job %q: its lanes keep changing", run.Number, run.Job))
}
