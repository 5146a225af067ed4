package redisstore

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/redis/rueidis"

	"github.com/rollcall-go/rollcall/store"
	"github.com/rollcall-go/rollcall/store/actions"
	"github.com/rollcall-go/rollcall/store/bounds"
	"github.com/rollcall-go/rollcall/store/redisstore/internal/format"
	"github.com/rollcall-go/rollcall/store/redisstore/internal/script"
	"github.com/rollcall-go/rollcall/store/rules"
)

// remains holds what a finished run left behind, without its summary and failures.
type remains struct {
	id      string
	ended   string   // state that was read; empty if the record is gone or damaged
	routes  []string // lanes of the run
	staged  []string // lists of staged children
	claimed bool     // some of its tasks may have had a claimed ID
	err     error
}

func (r *remains) fail(err error) { r.err = errors.Join(r.err, err) }

// purge removes what finished runs left behind, except their summaries and failures. It first reads
// all runs in common round trips. Each removal checks that its run has not changed since. If not
// everything of a run could be removed, the run stays in trash and is tried again.
func (s *Store) purge(ctx context.Context, k *format.Keyspace, ids ...string) error {
	if len(ids) == 0 {
		return nil
	}
	runs := s.remains(ctx, k, ids)
	byID := make(map[string]*remains, len(runs))
	for _, r := range runs {
		byID[r.id] = r
	}
	return each(ctx, ids, func(ctx context.Context, id string) error { return s.remove(ctx, k, byID[id]) })
}

// remains lists what runs left behind.
func (s *Store) remains(ctx context.Context, k *format.Keyspace, ids []string) []*remains {
	b := s.client.B
	const reads = 3
	cmds := make(rueidis.Commands, 0, reads*len(ids))
	for _, id := range ids {
		cmds = append(cmds,
			b().Smembers().Key(k.Lanes(id)).Build(),
			b().Hkeys().Key(k.Stage(id)).Build(),
			b().Hmget().Key(k.Run(id)).Field("job", "litter", "ended").Build())
	}
	replies := s.client.DoMulti(ctx, cmds...)
	runs := make([]*remains, len(ids))
	cmds = cmds[:0]
	for i, id := range ids {
		r := &remains{id: id}
		runs[i] = r
		var errs [2]error
		r.routes, errs[0] = replies[reads*i].AsStrSlice()
		r.staged, errs[1] = replies[reads*i+1].AsStrSlice()
		for _, err := range errs {
			r.fail(script.Empty(s.server.Translate(ctx, "list what is left of a run", err)))
		}
		if r.err != nil {
			r.routes = nil
			continue
		}
		facts, err := replies[reads*i+2].ToArray()
		r.claimed = err != nil || facts[0].IsNil() ||
			!facts[1].IsNil() // so may tasks of a run whose record is lost or damaged
		if err == nil {
			r.ended = script.Text(facts[2])
		}
		for _, route := range r.routes {
			cmds = append(cmds, b().Lrange().Key(k.Markers(format.LaneName(id, route))).Start(0).Stop(-1).Build())
		}
	}
	replies = s.client.DoMulti(ctx, cmds...)
	for _, r := range runs {
		for i, route := range r.routes {
			markers, err := replies[i].AsStrSlice()
			r.fail(script.Empty(s.server.Translate(ctx, "list markers", err)))
			for _, m := range markers {
				r.staged = append(r.staged, m+"/"+route)
			}
		}
		replies = replies[len(r.routes):]
	}
	return runs
}

// purgeSlice is the largest number of routes, or keys, that one call of the script removes.
const purgeSlice = bounds.MaxBatch

// remove removes what one run left behind, a slice at a time. Keys that name other keys are removed
// last, so an interrupted purge can be repeated.
func (s *Store) remove(ctx context.Context, k *format.Keyspace, r *remains) error {
	if r.err != nil {
		return r.err
	}
	id := r.id
	slice := func(last bool, routes, keys, buckets []string) (done bool, err error) {
		c := script.NewCall(k.Run(id), k.Trash, k.Due, k.Kept).Add(id, r.ended).Flag(last).Int(len(routes))
		for _, route := range routes {
			c.Key(k.Ring(route))
		}
		var due []string
		for _, route := range routes {
			due = append(due, format.LaneName(id, route))
		}
		c.Int(len(due)).Add(due...)
		c.Int(len(buckets)).Add(buckets...)
		c.Keys = append(c.Keys, keys...)
		word, _, err := s.server.Word(ctx, script.PurgeRun, c)
		return word != "ok", err
	}
	var keys, buckets []string
	names := []string{k.Holds(id), k.Stage(id), k.Lanes(id)}
	for routes := range slices.Chunk(r.routes, purgeSlice) {
		var lanes []string
		for _, route := range routes {
			lane := format.LaneName(id, route)
			lanes = append(lanes, k.Waiting(lane), k.Recovered(lane), k.Delayed(lane))
			names = append([]string{k.Markers(lane)}, names...)
		}
		if done, err := slice(false, routes, lanes, nil); done || err != nil {
			return err
		}
	}
	for _, name := range r.staged {
		keys = append(keys, k.Staged(id, name))
	}
	if r.claimed {
		for n := range format.IDBuckets {
			keys = append(keys, k.IDs(id, n))
			buckets = append(buckets, format.IDsName(id, n))
		}
	}
	keys = append(keys, names...)
	for chunk := range slices.Chunk(keys[:len(keys)-1], purgeSlice) {
		if done, err := slice(false, nil, chunk, nil); done || err != nil {
			return err
		}
	}
	_, err := slice(true, nil, keys[len(keys)-1:], buckets)
	return err
}

// forgetLines are lines of the audit: about a run, and about its job if that is removed with the
// run. Empty ones are not written.
type forgetLines struct{ run, job string }

// forget removes the summary of a purged run, or what still names a run whose record is gone. If
// the caller knows the job, it also removes the job's entry. A summary that is still kept is
// removed only if its time is over.
func (s *Store) forget(ctx context.Context, k *format.Keyspace, id, job string, kept bool, lines forgetLines) error {
	number, _ := format.ParseInt(id)
	for range hintTries {
		known, job, tokens, err := s.starters(ctx, k, id, job)
		if err != nil {
			return err
		}
		c := script.NewCall(
			k.Run(id), k.Dead(id), k.Starts(job), k.Job(job), k.Jobs, k.Hist, k.Trash, k.RunConfiguration(id),
			k.Failing, k.Index, k.Results(id),
		)
		c.Add(k.Channel, id, job).Flag(known).Flag(kept).Add(lines.run, lines.job).Int(len(tokens)).Add(tokens...)
		if err := s.values(ctx, k, c, store.ValueScope{Of: store.ScopeRun, Run: number}, store.JobScope(job)); err != nil {
			return err
		}
		c.Key(k.Audit)
		word, _, err := s.server.Word(ctx, script.ForgetRun, c)
		switch {
		case err != nil:
			return err
		case word == "ok":
			return nil
		case word == "active":
			return store.ErrRunActive
		case word == "dirty":
			if err := s.purge(ctx, k, id); err != nil {
				return err
			}
		case word != "again":
			return script.Unexpected(script.ForgetRun, word)
		}
	}
	return store.Transient(fmt.Errorf("forget run %s of job %q: it keeps changing", id, job))
}

// starters reads whether a run has a record, its job, and the tokens that refer to it.
func (s *Store) starters(
	ctx context.Context, k *format.Keyspace, id, job string,
) (known bool, of string, tokens []string, err error) {
	b := s.client.B
	v, err := s.client.Do(ctx, b().Hmget().Key(k.Run(id)).Field("token", "job").Build()).ToArray()
	if err != nil {
		return false, "", nil, s.server.Translate(ctx, "read a run", err, k.Run(id))
	}
	if !v[1].IsNil() {
		return true, script.Text(v[1]), []string{script.Text(v[0])}, nil
	}
	if job == "" {
		return false, "", nil, nil
	}
	starts, err := s.client.Do(ctx, b().Hgetall().Key(k.Starts(job)).Build()).AsStrMap()
	if err != nil {
		return false, "", nil, s.server.Translate(ctx, "list runs", err, k.Starts(job))
	}
	for token, run := range starts {
		if run == id {
			tokens = append(tokens, token)
		}
	}
	return false, job, tokens, nil
}

// DeleteRun implements [store.Runs].
func (s *Store) DeleteRun(ctx context.Context, id store.RunID) error {
	r, err := s.Run(ctx, id)
	if err != nil {
		return err
	}
	if !r.Status.Final() {
		return store.ErrRunActive
	}
	lines := forgetLines{run: format.AuditLine(rules.NewAuditLine(ctx, actions.Delete, id, "", ""))}
	return s.forget(ctx, s.space(id.Job), format.RunID(id.Number), id.Job, false, lines)
}

// DeleteJob implements [store.Jobs].
func (s *Store) DeleteJob(ctx context.Context, job string) error {
	k := s.space(job)
	line := format.AuditLine(rules.NewAuditLine(ctx, actions.Delete, store.RunID{Job: job}, "", ""))
	for {
		runs, err := s.JobRuns(ctx, job)
		if err != nil {
			return err
		}
		for _, n := range runs {
			if err := s.forget(ctx, k, format.RunID(n), job, false, forgetLines{job: line}); err != nil {
				return err
			}
		}
		c := script.NewCall(k.Job(job), k.Jobs, k.Starts(job), k.Due, k.Index).Add(k.Channel, job, line)
		if err := s.values(ctx, k, c, store.JobScope(job)); err != nil {
			return err
		}
		c.Key(k.Audit)
		word, _, err := s.server.Word(ctx, script.DeleteJob, c)
		switch {
		case err != nil:
			return err
		case word == "ok":
			return nil
		case word == "missing" && len(runs) > 0:
			return nil // the job was removed with its last run
		case word == "missing":
			return store.ErrJobNotFound
		case word != "runs" && word != "again":
			return script.Unexpected(script.DeleteJob, word)
		}
		// A run was started, or a value written, meanwhile. If the run is active, the next round returns
		// that error.
	}
}

// JobRuns implements [store.Jobs].
func (s *Store) JobRuns(ctx context.Context, job string) ([]int64, error) {
	if err := s.server.Begin(ctx); err != nil {
		return nil, err
	}
	k := s.space(job)
	v, err := s.client.Do(ctx, s.client.B().Hvals().Key(k.Starts(job)).Build()).AsStrSlice()
	if err != nil {
		return nil, s.server.Translate(ctx, "list runs", err, k.Starts(job))
	}
	runs := make([]int64, 0, len(v))
	for _, id := range v {
		if n, err := format.ParseInt(strings.TrimSpace(id)); err == nil {
			runs = append(runs, n)
		}
	}
	slices.Sort(runs)
	slices.Reverse(runs)
	return runs, nil
}
