package redisstore

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/redis/rueidis"

	"github.com/rollcall-go/rollcall/store"
	"github.com/rollcall-go/rollcall/store/redisstore/internal/script"
)

// remains is what a finished run left behind beside its summary and failures.
type remains struct {
	id      string
	routes  []string // its lanes
	staged  []string // lists of staged children
	claimed bool     // some of its tasks may have had an ID that was claimed
	err     error
}

func (r *remains) fail(err error) { r.err = errors.Join(r.err, err) }

// purge removes what finished runs left behind, all but their summaries and failures. The runs are final, so nothing
// adds to them any more: plain commands, each harmless to repeat, do, and all runs share their round trips. The entries
// in trash go last; that of a run of which something could not be removed stays, so that it is tried again.
func (s *Store) purge(ctx context.Context, k *keyspace, ids ...string) error {
	if len(ids) == 0 {
		return nil
	}
	runs := s.remains(ctx, k, ids)
	var cmds rueidis.Commands
	var owner []*remains // of each command
	for _, r := range runs {
		if r.err == nil {
			n := len(cmds)
			cmds = s.removals(cmds, k, r)
			owner = append(owner, slices.Repeat([]*remains{r}, len(cmds)-n)...)
		}
	}
	for i, reply := range s.client.DoMulti(ctx, cmds...) {
		owner[i].fail(empty(s.translateNil(ctx, "purge a run", reply.Error())))
	}
	var errs []error
	var done []string
	for _, r := range runs {
		if errs = append(errs, r.err); r.err == nil {
			done = append(done, r.id)
		}
	}
	if len(done) > 0 {
		errs = append(errs, s.translateNil(ctx, "purge runs", s.client.Do(ctx, s.client.B().Zrem().Key(k.trash).Member(done...).Build()).Error()))
	}
	return errors.Join(errs...)
}

// remains lists what is left of runs.
func (s *Store) remains(ctx context.Context, k *keyspace, ids []string) []*remains {
	b := s.client.B
	const reads = 3
	cmds := make(rueidis.Commands, 0, reads*len(ids))
	for _, id := range ids {
		cmds = append(cmds,
			b().Smembers().Key(k.lanes(id)).Build(),
			b().Hkeys().Key(k.stage(id)).Build(),
			b().Hmget().Key(k.run(id)).Field("job", "litter").Build())
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
			r.fail(empty(s.translateNil(ctx, "list what is left of a run", err)))
		}
		if r.err != nil {
			r.routes = nil
			continue
		}
		facts, err := replies[reads*i+2].ToArray()
		r.claimed = err != nil || facts[0].IsNil() || !facts[1].IsNil() // so may those of one whose record is lost or damaged
		for _, route := range r.routes {
			cmds = append(cmds, b().Lrange().Key(k.markers(laneName(id, route))).Start(0).Stop(-1).Build())
		}
	}
	replies = s.client.DoMulti(ctx, cmds...)
	for _, r := range runs {
		for i, route := range r.routes {
			markers, err := replies[i].AsStrSlice()
			r.fail(empty(s.translateNil(ctx, "list markers", err)))
			for _, m := range markers {
				r.staged = append(r.staged, m+"/"+route)
			}
		}
		replies = replies[len(r.routes):]
	}
	return runs
}

// removals are the commands that remove it. What names other keys goes last, so that a purge that was cut short can be repeated.
func (s *Store) removals(cmds rueidis.Commands, k *keyspace, r *remains) rueidis.Commands {
	b, id := s.client.B, r.id
	names := []string{k.holds(id), k.stage(id), k.lanes(id)}
	var keys []string
	for _, route := range r.routes {
		lane := laneName(id, route)
		keys = append(keys, k.waiting(lane), k.recovered(lane), k.delayed(lane))
		names = append([]string{k.markers(lane)}, names...)
		cmds = append(cmds,
			b().Zrem().Key(k.ring(route)).Member(id).Build(),
			b().Zrem().Key(k.due).Member(lane).Build())
	}
	for _, name := range r.staged {
		keys = append(keys, k.staged(id, name))
	}
	if r.claimed {
		buckets := make([]string, idBuckets)
		for n := range buckets {
			keys = append(keys, k.ids(id, n))
			buckets[n] = idsName(id, n)
		}
		cmds = append(cmds, b().Zrem().Key(k.kept).Member(buckets...).Build())
	}
	for chunk := range slices.Chunk(append(keys, names...), 128) {
		cmds = append(cmds, b().Unlink().Key(chunk...).Build())
	}
	return append(cmds, b().Zrem().Key(k.idle).Member(id).Build())
}

func (s *Store) translateNil(ctx context.Context, doing string, err error) error {
	if err == nil {
		return nil
	}
	return s.translate(ctx, doing, err)
}

// forget removes the summary of a run that was purged before.
// Where the record itself is gone, the job, if the caller knows it, loses its entry.
func (s *Store) forget(ctx context.Context, k *keyspace, id, job string) error {
	v, err := s.client.Do(ctx, s.client.B().Hmget().Key(k.run(id)).Field("token", "job").Build()).ToArray()
	if err != nil {
		return s.translate(ctx, "read a run", err)
	}
	if v[1].IsNil() {
		return s.forgetGone(ctx, k, id, job)
	}
	token, job := text(v[0]), text(v[1])
	number, _ := parseInt(id)
	for range hintTries {
		c := script.NewCall(k.run(id), k.dead(id), k.starts(job), k.job(job), k.jobs, k.hist, k.trash, k.runConfiguration(id)).Add(id, token, job)
		if err := s.values(ctx, k, c, store.ValueScope{Of: store.ScopeRun, Run: number}, store.JobScope(job)); err != nil {
			return err
		}
		word, _, err := s.word(ctx, script.ForgetRun, c)
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
			return unexpected(script.ForgetRun, word)
		}
	}
	return store.Transient(fmt.Errorf("forget run %s of job %q: their values keep changing", id, job))
}

// forgetGone removes what still names a run whose record is gone.
func (s *Store) forgetGone(ctx context.Context, k *keyspace, id, job string) error {
	b := s.client.B
	number, _ := parseInt(id)
	values := script.NewCall(k.runConfiguration(id))
	if err := s.values(ctx, k, values, store.ValueScope{Of: store.ScopeRun, Run: number}); err != nil {
		return err
	}
	cmds := rueidis.Commands{b().Zrem().Key(k.hist).Member(id).Build(), b().Unlink().Key(values.Keys...).Build()}
	if job != "" {
		starts, err := s.client.Do(ctx, b().Hgetall().Key(k.starts(job)).Build()).AsStrMap()
		if err != nil {
			return s.translate(ctx, "list runs", err)
		}
		for token, run := range starts {
			if run == id {
				cmds = append(cmds, b().Hdel().Key(k.starts(job)).Field(token).Build())
			}
		}
	}
	for _, r := range s.client.DoMulti(ctx, cmds...) {
		if err := r.Error(); err != nil {
			return s.translate(ctx, "forget a run", err)
		}
	}
	return nil
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
	return s.forget(ctx, s.space(id.Job), runID(id.Number), id.Job)
}

// DeleteJob implements [store.Jobs].
func (s *Store) DeleteJob(ctx context.Context, job string) error {
	k := s.space(job)
	for {
		runs, err := s.JobRuns(ctx, job)
		if err != nil {
			return err
		}
		for _, n := range runs {
			if err := s.forget(ctx, k, runID(n), job); err != nil {
				return err
			}
		}
		c := script.NewCall(k.job(job), k.jobs, k.starts(job), k.due).Add(job)
		if err := s.values(ctx, k, c, store.JobScope(job)); err != nil {
			return err
		}
		word, _, err := s.word(ctx, script.DeleteJob, c)
		switch {
		case err != nil:
			return err
		case word == "ok":
			return nil
		case word == "missing" && len(runs) > 0:
			return nil // the last run took it along
		case word == "missing":
			return store.ErrJobNotFound
		case word != "runs" && word != "again":
			return unexpected(script.DeleteJob, word)
		}
		// A run was started, or a value made, meanwhile; if the run is active the next round says so.
	}
}

// JobRuns implements [store.Jobs].
func (s *Store) JobRuns(ctx context.Context, job string) ([]int64, error) {
	if err := s.begin(ctx); err != nil {
		return nil, err
	}
	k := s.space(job)
	v, err := s.client.Do(ctx, s.client.B().Hvals().Key(k.starts(job)).Build()).AsStrSlice()
	if err != nil {
		return nil, s.translate(ctx, "list runs", err)
	}
	runs := make([]int64, 0, len(v))
	for _, id := range v {
		if n, err := parseInt(strings.TrimSpace(id)); err == nil {
			runs = append(runs, n)
		}
	}
	slices.Sort(runs)
	slices.Reverse(runs)
	return runs, nil
}
