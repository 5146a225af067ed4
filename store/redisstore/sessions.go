package redisstore

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/redis/rueidis"

	"github.com/rollcall-go/rollcall/store"
	"github.com/rollcall-go/rollcall/store/redisstore/internal/format"
	"github.com/rollcall-go/rollcall/store/redisstore/internal/script"
	"github.com/rollcall-go/rollcall/store/rules"
	"github.com/rollcall-go/rollcall/store/statuses"
)

func isNil(err error) bool { return rueidis.IsRedisNil(err) }

// OpenSession implements [store.Sessions].
func (s *Store) OpenSession(ctx context.Context, id store.SessionID, info store.WorkerInfo, lease time.Duration) error {
	description, err := format.Worker(info)
	if err != nil {
		return fmt.Errorf("describe the worker: %w", err)
	}
	ses := s.session(id)
	ses.mu.Lock()
	ses.busy = "" // as the script leaves it
	ses.mu.Unlock()
	k := s.spaces[id.Partition]
	c := script.NewCall(k.Session(id.ID), k.Leases, k.Terms).Add(id.ID, format.Millis(lease), description, k.Channel, format.WorkerStatus(info.Status))
	word, _, err := s.server.Word(ctx, script.OpenSession, c)
	switch {
	case err != nil:
		return err
	case word == "stale":
		return store.ErrStale
	case word != "ok":
		return script.Unexpected(script.OpenSession, word)
	}
	return nil
}

// Heartbeat implements [store.Sessions].
func (s *Store) Heartbeat(ctx context.Context, p store.HeartbeatParams) (store.HeartbeatReply, error) {
	k := s.spaces[p.Session.Partition]
	busy, err := format.Busy(&p)
	if err != nil {
		return store.HeartbeatReply{}, fmt.Errorf("describe running tasks: %w", err)
	}
	ses := s.session(p.Session)
	ses.mu.Lock()
	changed := ses.busy != busy
	ses.mu.Unlock()
	c := script.NewCall(k.Session(p.Session.ID), k.Leases, k.Meta, k.Due, k.Terms, k.Pauses)
	c.Add(p.Session.ID).Answered(p.Answered).Add(format.Millis(p.Lease), format.Millis(s.config.SweepInterval))
	if changed {
		c.Add(busy)
	} else {
		c.Add("")
	}
	first := len(c.Keys) + 1
	numberOf, err := s.numbers(ctx, k, func(see func(store.RunID)) {
		for _, r := range p.Runs {
			see(r)
		}
		for i := range p.Running {
			see(p.Running[i].Run)
		}
	})
	if err != nil {
		return store.HeartbeatReply{}, err
	}
	for _, r := range p.Runs {
		c.Key(k.Run(format.RunID(numberOf(r))))
	}
	c.Add(k.Channel).Int(len(p.Runs))
	reporting := ses.addReports(c, k, &p, numberOf, first)
	word, rest, err := s.server.Word(ctx, script.Heartbeat, c)
	switch {
	case err != nil:
		return store.HeartbeatReply{}, err
	case word == "lost":
		s.forgetSession(p.Session)
		return store.HeartbeatReply{}, store.ErrLeaseLost
	case word != "ok" || len(rest) != 7+4*len(p.Runs):
		return store.HeartbeatReply{}, script.Unexpected(script.Heartbeat, word)
	}
	ses.mu.Lock()
	ses.busy, ses.reporting = busy, reporting
	ses.mu.Unlock()
	reply := store.HeartbeatReply{
		Now:      format.ParseMillis(script.Text(rest[0])),
		NextDue:  format.ParseMillis(script.Text(rest[1])),
		Held:     int(script.Number(rest[2])),
		SweepDue: script.Number(rest[3]) == 1,
		Pauses:   script.Integer(rest[4]),
		Status:   format.ParseWorkerStatus(script.Text(rest[6])),
	}
	s.observe(reply.Now)
	if asked := script.Text(rest[5]); asked != "" {
		if reply.Cancelled, err = s.cancelled(ctx, k, p.Session.ID, asked); err != nil {
			return store.HeartbeatReply{}, err
		}
	}
	for i, r := range p.Runs {
		reply.Runs = append(reply.Runs, store.RunSignal{
			Run:        r,
			Status:     statuses.Status(script.Text(rest[7+4*i])),
			Graceful:   script.Text(rest[8+4*i]) == "1",
			Configured: script.Integer(rest[9+4*i]),
			Overdue:    script.Text(rest[10+4*i]) != "",
		})
	}
	return reply, nil
}

// cancelled reads the list of the deliveries of a session that are to be cancelled.
func (s *Store) cancelled(
	ctx context.Context, k *format.Keyspace, session, asked string,
) (leases []store.Lease, err error) {
	for field := range strings.FieldsSeq(asked) {
		lease, ok := format.ParseLeaseField(session, field)
		if !ok {
			continue
		}
		meta, ok, err := s.meta(ctx, k, lease.Lane.Run.Number)
		if err != nil {
			return nil, err
		}
		if ok {
			lease.Lane.Run.Job = meta.Job
			leases = append(leases, lease)
		}
	}
	return leases, nil
}

// SetWorkerStatus implements [store.Sessions].
func (s *Store) SetWorkerStatus(ctx context.Context, p store.WorkerStatusParams) error {
	k := s.spaces[p.Session.Partition]
	action, subject := p.Audited()
	line := rules.NewAuditLine(ctx, action, store.RunID{}, subject, "")
	c := script.NewCall(k.Session(p.Session.ID), k.Audit)
	c.Add(p.Session.ID, format.WorkerStatus(p.Status), format.AuditLine(line), k.Channel)
	word, _, err := s.server.Word(ctx, script.SetWorkerStatus, c)
	switch {
	case err != nil:
		return err
	case word == "lost":
		return store.ErrLeaseLost
	case word != "ok":
		return script.Unexpected(script.SetWorkerStatus, word)
	}
	return nil
}

// CloseSession implements [store.Sessions]. First it removes the reports of progress that the
// session showed. If that fails, or the session died, they expire.
func (s *Store) CloseSession(ctx context.Context, id store.SessionID) error {
	ses := s.session(id)
	ses.mu.Lock()
	shows := len(ses.reporting) > 0
	ses.mu.Unlock()
	if shows {
		_, _ = s.Heartbeat(ctx, store.HeartbeatParams{Session: id, Lease: time.Second})
	}
	_, err := s.reclaim(ctx, id, true)
	s.forgetSession(id)
	return err
}

// withClock reads a sorted set and the server's clock in one round trip. On a cluster the clock is
// that of any node: no decision depends on it.
func (s *Store) withClock(
	ctx context.Context, what, key string, read rueidis.Completed,
) ([]rueidis.ZScore, time.Time, error) {
	if err := s.server.Begin(ctx); err != nil {
		return nil, time.Time{}, err
	}
	replies := s.client.DoMulti(ctx, read, s.client.B().Time().Build())
	members, err := replies[0].AsZScores()
	if err = script.Empty(s.server.Translate(ctx, what, err, key)); err != nil {
		return nil, time.Time{}, err
	}
	clock, err := replies[1].AsStrSlice()
	if err != nil || len(clock) != 2 {
		return nil, time.Time{}, s.server.Translate(ctx, "read the clock", err)
	}
	seconds, _ := format.ParseInt(clock[0])
	return members, time.Unix(seconds, 0), nil
}

// LiveSessions implements [store.Sessions].
func (s *Store) LiveSessions(ctx context.Context, partition int) ([]store.SessionRecord, error) {
	k := s.spaces[partition]
	b := s.client.B
	leases, now, err := s.withClock(ctx, "list sessions", k.Leases,
		b().Zrangebyscore().Key(k.Leases).Min("1").Max("+inf").Withscores().Build())
	if err != nil {
		return nil, err
	}
	if len(leases) == 0 {
		return nil, nil
	}
	cmds := make(rueidis.Commands, 0, 2*len(leases))
	for _, l := range leases {
		cmds = append(cmds,
			b().Hmget().Key(k.Session(l.Member)).Field("info", "busy", "status").Build(),
			b().Hlen().Key(k.Session(l.Member)).Build())
	}
	replies := s.client.DoMulti(ctx, cmds...)
	var out []store.SessionRecord
	for i, l := range leases {
		v, err := replies[2*i].ToArray()
		err = s.server.Translate(ctx, "read a session", err, k.Session(l.Member))
		if err != nil && !errors.Is(err, store.ErrCorrupt) {
			return nil, err
		}
		if err == nil && v[0].IsNil() {
			continue // closed meanwhile
		}
		r := store.SessionRecord{
			ID: l.Member, Partition: partition,
			Expires: time.UnixMilli(int64(l.Score)), Overdue: now.UnixMilli() >= int64(l.Score),
		}
		if err == nil {
			err = describe(&r, script.Text(v[0]), script.Text(v[1]))
			r.Worker.Status = format.ParseWorkerStatus(script.Text(v[2]))
		}
		if err != nil {
			s.config.Logger.ErrorContext(
				ctx, "a session is listed without its worker", "session", l.Member, "error", err,
			)
			out = append(out, r)
			continue
		}
		held, err := replies[2*i+1].AsInt64()
		if err != nil {
			return nil, s.server.Translate(ctx, "read a session", err, k.Session(l.Member))
		}
		r.Held = int(held) - sessionFields
		out = append(out, r)
	}
	return out, nil
}

// describe decodes a session's description of its worker and of the running tasks.
func describe(r *store.SessionRecord, info, busy string) error {
	var err error
	r.Worker, err = format.ParseWorker(info)
	if err == nil {
		err = format.ParseBusy(busy, r)
	}
	if err != nil {
		r.Worker, r.Running, r.Configurations = store.WorkerInfo{}, nil, nil
		return fmt.Errorf("%w: description of session %s: %v", store.ErrCorrupt, r.ID, err)
	}
	return nil
}

// sessionFields is how many fields the hash of a live session has, without its deliveries.
const sessionFields = 6
