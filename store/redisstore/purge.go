package redisstore

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/redis/rueidis"

	"github.com/rollcall-go/rollcall/store"
)

// purge removes what a finished run left behind, all but its summary and
// failures. The run is final, so nothing adds to it any more: plain commands,
// each harmless to repeat, do; the entry in trash goes last.
func (s *Store) purge(ctx context.Context, k *keyspace, id string) error {
	b := s.client.B
	replies := s.client.DoMulti(ctx,
		b().Smembers().Key(k.lanes(id)).Build(),
		b().Hkeys().Key(k.stage(id)).Build(),
	)
	routes, err := replies[0].AsStrSlice()
	if err != nil {
		return s.translate(ctx, "list lanes", err)
	}
	staged, err := replies[1].AsStrSlice()
	if err != nil {
		return s.translate(ctx, "list staged children", err)
	}
	cmds := make(rueidis.Commands, 0, len(routes))
	for _, route := range routes {
		cmds = append(cmds, b().Lrange().Key(k.markers(laneName(id, route))).Start(0).Stop(-1).Build())
	}
	for i, r := range s.client.DoMulti(ctx, cmds...) {
		markers, err := r.AsStrSlice()
		if err != nil {
			return s.translate(ctx, "list markers", err)
		}
		for _, m := range markers {
			staged = append(staged, m+"/"+routes[i])
		}
	}

	// What names other keys goes last, so that a purge that was cut short can be repeated.
	names := []string{k.holds(id), k.stage(id), k.lanes(id)}
	var keys []string
	cmds = cmds[:0]
	for _, route := range routes {
		lane := laneName(id, route)
		keys = append(keys, k.waiting(lane), k.suspects(lane), k.delayed(lane))
		names = append([]string{k.markers(lane)}, names...)
		cmds = append(cmds,
			b().Zrem().Key(k.ring(route)).Member(id).Build(),
			b().Zrem().Key(k.due).Member(lane).Build())
	}
	for _, name := range staged {
		keys = append(keys, k.staged(id, name))
	}
	for n := range idBuckets {
		keys = append(keys, k.ids(id, n))
	}
	keys = append(keys, names...)
	for chunk := range slices.Chunk(keys, 128) {
		cmds = append(cmds, b().Unlink().Key(chunk...).Build())
	}
	buckets := make([]string, idBuckets)
	for n := range buckets {
		buckets[n] = idsName(id, n)
	}
	cmds = append(cmds, b().Zrem().Key(k.kept).Member(buckets...).Build())
	cmds = append(cmds, b().Zrem().Key(k.idle).Member(id).Build())
	for _, r := range s.client.DoMulti(ctx, cmds...) {
		if err := r.Error(); err != nil {
			return s.translate(ctx, "purge a run", err)
		}
	}
	return s.translateNil(ctx, "purge a run", s.client.Do(ctx, b().Zrem().Key(k.trash).Member(id).Build()).Error())
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
		c := newCall(k.run(id), k.dead(id), k.starts(job), k.job(job), k.jobs, k.hist, k.trash, k.runConfiguration(id)).add(id, token, job)
		if err := s.values(ctx, k, c, store.ValueScope{Of: store.OfRun, Run: number}, store.JobScope(job)); err != nil {
			return err
		}
		word, _, err := s.word(ctx, forgetRunScript, c)
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
			return unexpected(forgetRunScript, word)
		}
	}
	return store.Transient(fmt.Errorf("forget run %s of job %q: their values keep changing", id, job))
}

// forgetGone removes what still names a run whose record is gone.
func (s *Store) forgetGone(ctx context.Context, k *keyspace, id, job string) error {
	b := s.client.B
	number, _ := parseInt(id)
	values := newCall(k.runConfiguration(id))
	if err := s.values(ctx, k, values, store.ValueScope{Of: store.OfRun, Run: number}); err != nil {
		return err
	}
	cmds := rueidis.Commands{b().Zrem().Key(k.hist).Member(id).Build(), b().Unlink().Key(values.keys...).Build()}
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
		c := newCall(k.job(job), k.jobs, k.starts(job), k.due).add(job)
		if err := s.values(ctx, k, c, store.JobScope(job)); err != nil {
			return err
		}
		word, _, err := s.word(ctx, deleteJobScript, c)
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
			return unexpected(deleteJobScript, word)
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
