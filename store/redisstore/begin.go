package redisstore

import (
	"context"
	"fmt"
	"strconv"

	"github.com/redis/rueidis"

	"github.com/rollcall-go/rollcall/store"
	"github.com/rollcall-go/rollcall/store/actions"
	"github.com/rollcall-go/rollcall/store/redisstore/internal/format"
	"github.com/rollcall-go/rollcall/store/redisstore/internal/script"
	"github.com/rollcall-go/rollcall/store/rules"
	"github.com/rollcall-go/rollcall/store/statuses"
	"github.com/rollcall-go/rollcall/store/verdicts"
)

// StartRun implements [store.Runs].
func (s *Store) StartRun(ctx context.Context, p store.StartParams) (store.StartReply, error) {
	line := ""
	if subject, ok := p.Audited(ctx); ok {
		line = format.AuditLine(rules.NewAuditLine(ctx, actions.Start, store.RunID{Job: p.Job}, subject, ""))
	}
	word, rest, err := s.beginRun(ctx, script.StartRun, &p, func(c *script.Call) {
		c.Flag(p.Declared).Add(line)
		c.Key(s.space(p.Job).Audit)
	})
	if err != nil {
		return store.StartReply{}, err
	}
	id := store.RunID{Job: p.Job}
	if len(rest) > 0 {
		id.Number, _ = format.ParseInt(script.Text(rest[0]))
	}
	switch word {
	case "ok":
		s.metas[store.PartitionOf(p.Job, len(s.metas))].put(id.Number, format.ParseMeta(p.Job, format.MetaRoutes(&p)))
		return store.StartReply{Run: id}, nil
	case "existing":
		return store.StartReply{Run: id, Existing: true}, nil
	case "active":
		return store.StartReply{}, &store.JobExistsError{Active: id}
	case "declared":
		return store.StartReply{}, &store.JobExistsError{Active: id, Declared: statuses.JobType(script.Text(rest[1]))}
	case "missing":
		return store.StartReply{}, store.ErrJobNotFound
	case "disabled":
		return store.StartReply{}, store.ErrJobDisabled
	}
	return store.StartReply{}, script.Unexpected(script.StartRun, word)
}

// FireRun implements [store.Schedules].
func (s *Store) FireRun(ctx context.Context, p store.FireParams) (store.FireReply, error) {
	k := s.space(p.Start.Job)
	p.Start.Due, p.Start.Token = p.Due, store.FireToken(p.Due)
	word, rest, err := s.beginRun(ctx, script.FireRun, &p.Start, func(c *script.Call) {
		c.Int64(millis(p.Due)).Int64(p.Changes).Int(len(p.Next))
		for _, next := range p.Next {
			c.Int64(millis(next))
		}
		c.Add(format.Millis(p.Delay)).Flag(p.Wait).Add(format.Millis(p.Rest)).Flag(p.InReadOnly)
		c.Key(k.Pauses)
	})
	if err != nil {
		return store.FireReply{}, err
	}
	reply := store.FireReply{Verdict: verdicts.Fire(word)}
	if len(rest) > 0 {
		reply.Now = format.ParseMillis(script.Text(rest[0]))
		s.observe(reply.Now)
	}
	if len(rest) > 1 {
		if n, _ := format.ParseInt(script.Text(rest[1])); n > 0 {
			reply.Run = store.RunID{Job: p.Start.Job, Number: n}
		}
	}
	switch word {
	case "missing":
		return reply, store.ErrJobNotFound
	case "disabled":
		return reply, store.ErrJobDisabled
	case "started", "skipped", "waiting", "moved", "early":
		return reply, nil
	}
	return reply, script.Unexpected(script.FireRun, word)
}

// PostponeJob implements [store.Schedules].
func (s *Store) PostponeJob(ctx context.Context, p store.PostponeParams) error {
	k := s.space(p.Job)
	word, _, err := s.server.Word(ctx, script.PostponeJob, script.NewCall(k.Job(p.Job), k.Due).Add(k.Channel, p.Job, p.Problem))
	switch {
	case err != nil:
		return err
	case word == "missing":
		return store.ErrJobNotFound
	case word != "ok":
		return script.Unexpected(script.PostponeJob, word)
	}
	return nil
}

// beginRun executes a script that may begin a run. It proposes a number from the server's clock,
// because all keys of a script must be known before. The script uses the number if it is higher
// than all earlier ones.
func (s *Store) beginRun(
	ctx context.Context, sc *script.Script, p *store.StartParams, head func(*script.Call),
) (string, []rueidis.RedisMessage, error) {
	k := s.space(p.Job)
	for range hintTries {
		if err := s.server.Begin(ctx); err != nil {
			return "", nil, err
		}
		b := s.client.B
		replies := s.client.DoMulti(ctx,
			b().Hmget().Key(k.Job(p.Job)).Field("run").Build(),
			b().Hmget().Key(k.Meta).Field("run").Build(),
			// TIME has no key, so on a cluster any node may answer. The last number in meta makes sure that
			// numbers grow.
			b().Time().Build(),
		)
		known, err := script.First(replies[0].ToArray())
		if err != nil {
			return "", nil, s.server.Translate(ctx, "read a job", err, k.Job(p.Job))
		}
		last, err := script.First(replies[1].ToArray())
		if err = script.Empty(s.server.Translate(ctx, "read the last number", err)); err != nil {
			return "", nil, err
		}
		clock, err := replies[2].AsStrSlice()
		if err != nil || len(clock) != 2 {
			return "", nil, s.server.Translate(ctx, "read the clock", err)
		}
		seconds, _ := format.ParseInt(clock[0])
		micros, _ := format.ParseInt(clock[1])
		floor, _ := format.ParseInt(last)
		word, rest, err := s.server.Word(
			ctx, sc, s.beginCall(k, p, known, max(floor+1, seconds*1_000_000+micros), head),
		)
		if err != nil || word != "again" {
			return word, rest, err
		}
	}
	return "", nil, store.Transient(fmt.Errorf("start of job %q: too many others started at the same moment", p.Job))
}

// beginCall packs the arguments of a script that begins a run. head adds the arguments that only
// this script has.
func (s *Store) beginCall(
	k *format.Keyspace, p *store.StartParams, known string, proposed int64, head func(*script.Call),
) *script.Call {
	id := format.RunID(proposed)
	var first *store.Item
	switch {
	case p.PreJob != nil:
		first = p.PreJob
	case p.Root != nil:
		first = p.Root
	}
	lastRun := k.Job(p.Job)
	if known != "" {
		lastRun = k.Run(known)
	}
	c := script.NewCall(
		k.Meta, k.Jobs, k.Job(p.Job), k.Starts(p.Job), lastRun, k.Clock, k.Due, k.Routes, k.Run(id), k.Lanes(id), k.Holds(id),
	)
	lane, ring, root := id, "", ""
	if p.Root != nil {
		root = format.RouteName(p.Root.Route)
	}
	if first != nil {
		lane, ring = format.LaneName(id, format.RouteName(first.Route)), format.RouteName(first.Route)
	}
	c.Key(k.Waiting(lane))
	c.Key(k.Delayed(lane))
	c.Key(k.Ring(ring))
	c.Key(k.RunConfiguration(id))
	c.Key(k.Index)
	c.Key(k.Ledger)

	seal := ""
	if idle := p.IdleAfter(); idle > 0 {
		seal = strconv.FormatInt(format.CeilMillis(idle), 10)
	}
	c.Add(k.Channel, p.Job, p.Token, id, known)
	head(c)
	c.Flag(p.Open).Add(seal).Flag(p.Root != nil).Flag(p.PreJob != nil)
	longest := 0
	message := func(item *store.Item) string {
		task := item.Task
		if task.Enqueued.IsZero() {
			task.Enqueued = s.estimate()
		}
		task.Ready = item.ReadyAt(task.Enqueued)
		m := string(format.AppendTask(nil, &task))
		longest = max(longest, len(m))
		return m
	}
	if p.Root != nil && p.PreJob != nil {
		c.Add(message(p.Root), when(p.Root))
	} else {
		c.Add("", "")
	}
	c.Add(root)
	if first != nil {
		c.Add(format.RouteName(first.Route), first.Route.Queue, message(first), when(first))
	}
	fields := format.RunFields(p, longest)
	c.Int(len(fields) / 2).Add(fields...).Int64(format.CeilMillis(p.Deadline))
	if p.Configuration != nil {
		c.Add(string(p.Configuration))
	}
	return c
}
