package redisstore

import (
	"context"
	"fmt"
	"strconv"

	"github.com/rollcall-go/rollcall/store"
)

// hintTries bounds how often a call goes again because what it had read in
// advance no longer holds; each time somebody else made progress.
const hintTries = 100

// StartRun implements [store.Runs]. The number is proposed here from the
// server's clock, since every key of a script must be known beforehand, and
// the script takes it if it is higher than any before.
func (s *Store) StartRun(ctx context.Context, p store.StartParams) (store.StartReply, error) {
	if err := p.Validate(); err != nil {
		return store.StartReply{}, err
	}
	k := s.space(p.Job)
	for range hintTries {
		if err := s.begin(ctx); err != nil {
			return store.StartReply{}, err
		}
		b := s.client.B
		replies := s.client.DoMulti(ctx,
			b().Hmget().Key(k.job(p.Job)).Field("run").Build(),
			b().Hmget().Key(k.meta).Field("run").Build(),
			// TIME carries no key: on a cluster any node answers, and the floor of meta keeps numbers growing.
			b().Time().Build(),
		)
		known, err := firstOf(replies[0].ToArray())
		if err != nil {
			return store.StartReply{}, s.translate(ctx, "read a job", err)
		}
		last, err := firstOf(replies[1].ToArray())
		if err != nil {
			return store.StartReply{}, s.translate(ctx, "read the last number", err)
		}
		clock, err := replies[2].AsStrSlice()
		if err != nil || len(clock) != 2 {
			return store.StartReply{}, s.translate(ctx, "read the clock", err)
		}
		seconds, _ := parseInt(clock[0])
		micros, _ := parseInt(clock[1])
		floor, _ := parseInt(last)
		word, rest, err := s.word(ctx, startRunScript, s.startCall(k, &p, known, max(floor+1, seconds*1_000_000+micros)))
		if err != nil {
			return store.StartReply{}, err
		}
		var n int64
		if len(rest) > 0 {
			n, _ = parseInt(text(rest[0]))
		}
		switch word {
		case "ok":
			return store.StartReply{Run: store.RunID{Job: p.Job, Number: n}}, nil
		case "existing":
			return store.StartReply{Run: store.RunID{Job: p.Job, Number: n}, Existing: true}, nil
		case "active":
			return store.StartReply{}, &store.JobExistsError{Active: store.RunID{Job: p.Job, Number: n}}
		case "disabled":
			return store.StartReply{}, store.ErrJobDisabled
		case "again":
		default:
			return store.StartReply{}, unexpected(startRunScript, word)
		}
	}
	return store.StartReply{}, store.Transient(fmt.Errorf("start of job %q: too many others started at the same moment", p.Job))
}

// startCall packs the script's arguments.
func (s *Store) startCall(k *keyspace, p *store.StartParams, known string, proposed int64) *call {
	id := runID(proposed)
	var first *store.Item
	switch {
	case p.PreJob != nil:
		first = p.PreJob
	case p.Root != nil:
		first = p.Root
	}
	lastRun := k.job(p.Job)
	if known != "" {
		lastRun = k.run(known)
	}
	c := newCall(k.meta, k.jobs, k.job(p.Job), k.starts(p.Job), lastRun, k.clock, k.due, k.routes, k.idle, k.run(id), k.lanes(id), k.holds(id))
	lane, ring := id, ""
	if first != nil {
		lane, ring = laneName(id, routeName(first.Route)), routeName(first.Route)
	}
	c.key(k.waiting(lane))
	c.key(k.delayed(lane))
	c.key(k.ring(ring))
	c.key(k.runConfiguration(id))

	seal := ""
	if p.SealAfter > 0 {
		seal = strconv.FormatInt(ceilMillis(p.SealAfter), 10)
	}
	c.add(k.channel, p.Job, p.Token, id, known).flag(p.Declared).flag(p.Open).add(seal).flag(p.Root != nil).flag(p.PreJob != nil)
	longest := 0
	message := func(item *store.Item) string {
		task := item.Task
		if task.Enqueued.IsZero() {
			task.Enqueued = s.estimate()
		}
		m := string(appendTask(nil, &task))
		longest = max(longest, len(m))
		return m
	}
	if p.Root != nil && p.PreJob != nil {
		c.add(message(p.Root), when(p.Root))
	} else {
		c.add("", "")
	}
	if first != nil {
		c.add(routeName(first.Route), first.Route.Queue, message(first), when(first))
	}
	fields := runFields(p, longest)
	c.int(len(fields) / 2).add(fields...)
	if p.Configuration != nil {
		c.add(string(p.Configuration))
	}
	return c
}

// Run implements [store.Runs].
func (s *Store) Run(ctx context.Context, id store.RunID) (store.RunRecord, error) {
	if err := s.begin(ctx); err != nil {
		return store.RunRecord{}, err
	}
	k := s.space(id.Job)
	h, err := s.client.Do(ctx, s.client.B().Hgetall().Key(k.run(runID(id.Number))).Build()).AsStrMap()
	if err != nil {
		return store.RunRecord{}, s.translate(ctx, "read a run", err)
	}
	return decodeRun(id, h, s.estimate())
}

// StopRun implements [store.Runs].
func (s *Store) StopRun(ctx context.Context, p store.StopParams) error {
	k, id := s.space(p.Run.Job), runID(p.Run.Number)
	if err := s.own(ctx, p.Run); err != nil {
		return err
	}
	c := newCall(k.run(id), k.hist, k.trash).add(k.channel, id).flag(p.Graceful).add(p.Reason)
	word, _, err := s.word(ctx, stopRunScript, c)
	return runWord(stopRunScript, word, err)
}

// own checks that a run is one of its job: numbers are unique in a partition, which holds many jobs.
func (s *Store) own(ctx context.Context, id store.RunID) error {
	if err := s.begin(ctx); err != nil {
		return err
	}
	meta, ok, err := s.meta(ctx, s.space(id.Job), id.Number)
	if err != nil {
		return err
	}
	if !ok || meta.job != id.Job {
		return store.ErrRunNotFound
	}
	return nil
}

func runWord(sc *script, word string, err error) error {
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
	return unexpected(sc, word)
}

// SetRunPaused implements [store.Runs].
func (s *Store) SetRunPaused(ctx context.Context, run store.RunID, paused bool) error {
	if err := s.own(ctx, run); err != nil {
		return err
	}
	k, id := s.space(run.Job), runID(run.Number)
	for range hintTries {
		c := newCall(k.run(id), k.clock, k.lanes(id)).add(k.channel, id).flag(paused)
		var routes []string
		if !paused {
			var err error
			routes, err = s.client.Do(ctx, s.client.B().Smembers().Key(k.lanes(id)).Build()).AsStrSlice()
			if err != nil {
				return s.translate(ctx, "list lanes", err)
			}
		}
		c.int(len(routes))
		for _, name := range routes {
			lane := laneName(id, name)
			c.key(k.waiting(lane))
			c.key(k.suspects(lane))
			c.key(k.markers(lane))
			c.key(k.ring(name))
			route, _ := parseRoute(name)
			c.add(route.Queue)
		}
		word, _, err := s.word(ctx, pauseRunScript, c)
		if err == nil && word == "again" {
			continue
		}
		return runWord(pauseRunScript, word, err)
	}
	return store.Transient(fmt.Errorf("resume run %d of job %q: its lanes keep changing", run.Number, run.Job))
}

// Failures implements [store.Runs].
func (s *Store) Failures(ctx context.Context, id store.RunID, offset, limit int) ([]store.Failure, error) {
	if err := s.own(ctx, id); err != nil {
		return nil, err
	}
	if offset < 0 || limit < 1 {
		return nil, nil
	}
	k := s.space(id.Job)
	replies := s.client.DoMulti(ctx,
		s.client.B().Exists().Key(k.run(runID(id.Number))).Build(), // what own remembers may have expired
		s.client.B().Lrange().Key(k.dead(runID(id.Number))).Start(int64(offset)).Stop(int64(offset+limit-1)).Build(),
	)
	kept, err := replies[0].AsInt64()
	if err != nil {
		return nil, s.translate(ctx, "read failures", err)
	}
	if kept == 0 {
		return nil, store.ErrRunNotFound
	}
	stored, err := replies[1].AsStrSlice()
	if err != nil {
		return nil, s.translate(ctx, "read failures", err)
	}
	out := make([]store.Failure, 0, len(stored))
	for _, text := range stored {
		f, err := decodeFailure(id, text)
		if err != nil {
			return out, err
		}
		out = append(out, f)
	}
	return out, nil
}
