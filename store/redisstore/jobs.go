package redisstore

import (
	"context"
	"errors"
	"fmt"

	"github.com/redis/rueidis"

	"github.com/rollcall-go/rollcall/store"
	"github.com/rollcall-go/rollcall/store/redisstore/internal/format"
	"github.com/rollcall-go/rollcall/store/redisstore/internal/script"
)

// EnsureJob implements [store.Jobs].
func (s *Store) EnsureJob(ctx context.Context, p store.EnsureParams) (store.EnsureResult, error) {
	k := s.space(p.Job)
	for range hintTries {
		if err := s.server.Begin(ctx); err != nil {
			return "", err
		}
		known, err := script.First(
			s.client.Do(ctx, s.client.B().Hmget().Key(k.Job(p.Job)).Field("run").Build()).ToArray(),
		)
		if err != nil {
			return "", s.server.Translate(ctx, "read a job", err, k.Job(p.Job))
		}
		lastRun := k.Job(p.Job)
		if known != "" {
			lastRun = k.Run(known)
		}
		c := script.NewCall(k.Job(p.Job), k.Jobs, lastRun, k.Due, k.Index).
			Add(p.Job, string(p.Type), string(p.Definition)).
			Int64(p.Revision).
			Add(known)
		c.Add(string(p.Schedule)).Flag(p.DueNow).Add(k.Channel)
		word, _, err := s.server.Word(ctx, script.EnsureJob, c)
		switch {
		case err != nil:
			return "", err
		case word == "active":
			n, _ := format.ParseInt(known)
			return "", &store.JobExistsError{Active: store.RunID{Job: p.Job, Number: n}}
		case word == "created", word == "updated", word == "unchanged", word == "kept":
			return store.EnsureResult(word), nil
		case word != "again":
			return "", script.Unexpected(script.EnsureJob, word)
		}
	}
	return "", store.Transient(fmt.Errorf("declare job %q: others keep starting it", p.Job))
}

// SetJobDisabled implements [store.Jobs].
func (s *Store) SetJobDisabled(ctx context.Context, job string, disabled bool) error {
	k := s.space(job)
	word, _, err := s.server.Word(
		ctx, script.DisableJob, script.NewCall(k.Job(job), k.Due, k.Index).Add(job).Flag(disabled).Add(k.Channel),
	)
	switch {
	case err != nil:
		return err
	case word == "missing":
		return store.ErrJobNotFound
	case word != "ok":
		return script.Unexpected(script.DisableJob, word)
	}
	return nil
}

// Job implements [store.Jobs].
func (s *Store) Job(ctx context.Context, job string) (store.JobRecord, error) {
	if err := s.server.Begin(ctx); err != nil {
		return store.JobRecord{}, err
	}
	key := s.space(job).Job(job)
	h, err := s.client.Do(ctx, s.client.B().Hgetall().Key(key).Build()).AsStrMap()
	if err != nil {
		return store.JobRecord{}, s.server.Translate(ctx, "read a job", err, key)
	}
	return format.DecodeJob(job, h)
}

// fittingJobs returns how many of the first jobs, with their newest runs, fit in about
// [bounds.PageBytes].
func (s *Store) fittingJobs(ctx context.Context, k *format.Keyspace, names []string) (int, error) {
	b := s.client.B
	cmds := make(rueidis.Commands, 0, len(names))
	for _, name := range names {
		cmds = append(cmds, b().Hmget().Key(k.Job(name)).Field("run").Build())
	}
	large := []string{"args", "headers", "root", "post", "result"}
	var lengths rueidis.Commands
	for i, r := range s.client.DoMulti(ctx, cmds...) {
		run, err := script.First(r.ToArray())
		if err = script.Empty(s.server.Translate(ctx, "read a job", err)); err != nil {
			return 0, err
		}
		lengths = append(lengths, b().Hstrlen().Key(k.Job(names[i])).Field("definition").Build())
		for _, field := range large {
			lengths = append(lengths, b().Hstrlen().Key(k.Run(run)).Field(field).Build())
		}
	}
	n, err := fitting(s.client.DoMulti(ctx, lengths...), 1+len(large))
	return n, s.server.Translate(ctx, "read lengths", err)
}

// ListJobs implements [store.Jobs]. A page costs five round trips, whatever its size.
func (s *Store) ListJobs(ctx context.Context, p store.ListParams) (store.JobPage, error) {
	if err := s.server.Begin(ctx); err != nil {
		return store.JobPage{}, err
	}
	k := s.spaces[p.Partition]
	from := "-"
	if p.After != "" {
		from = "(" + p.After
	}
	list := s.client.B().Zrangebylex().Key(k.Jobs).Min(from).Max("+").Limit(0, int64(p.Limit)).Build()
	names, err := s.client.Do(ctx, list).AsStrSlice()
	if err = script.Empty(s.server.Translate(ctx, "list jobs", err)); err != nil {
		return store.JobPage{}, err
	}
	var page store.JobPage
	n, err := s.fittingJobs(ctx, k, names)
	if err != nil {
		return store.JobPage{}, err
	}
	if n < len(names) || n == p.Limit {
		page.Next = names[n-1]
	}
	if page.Jobs, err = s.readJobs(ctx, k, names[:n]); err != nil {
		return store.JobPage{}, err
	}
	if err := s.readLastRuns(ctx, k, page.Jobs); err != nil {
		return store.JobPage{}, err
	}
	return page, nil
}

// readJobs reads the records of jobs. It leaves out a job that cannot be read: a call for that job
// returns the error.
func (s *Store) readJobs(ctx context.Context, k *format.Keyspace, names []string) ([]store.JobEntry, error) {
	cmds := make(rueidis.Commands, 0, len(names))
	for _, name := range names {
		cmds = append(cmds, s.client.B().Hgetall().Key(k.Job(name)).Build())
	}
	var jobs []store.JobEntry
	for i, r := range s.client.DoMulti(ctx, cmds...) {
		h, err := r.AsStrMap()
		if err = s.server.Translate(ctx, "read a job", err, k.Job(names[i])); err == nil && len(h) == 0 {
			continue // removed meanwhile
		}
		var j store.JobRecord
		if err == nil {
			j, err = format.DecodeJob(names[i], h)
		}
		if errors.Is(err, store.ErrCorrupt) {
			s.config.Logger.ErrorContext(ctx, "a job is left out of a listing", "job", names[i], "error", err)
			continue
		}
		if err != nil {
			return nil, err
		}
		jobs = append(jobs, store.JobEntry{Job: j})
	}
	return jobs, nil
}

// readLastRuns adds the newest run of each job. It leaves out a run that cannot be read: a call for
// that run returns the error.
func (s *Store) readLastRuns(ctx context.Context, k *format.Keyspace, jobs []store.JobEntry) error {
	cmds := make(rueidis.Commands, 0, len(jobs))
	for _, e := range jobs {
		cmds = append(cmds, s.client.B().Hgetall().Key(k.Run(format.RunID(e.Job.LastRun))).Build())
	}
	for i, r := range s.client.DoMulti(ctx, cmds...) {
		e := &jobs[i]
		h, err := r.AsStrMap()
		if err != nil {
			err = s.server.Translate(ctx, "read a run", err, k.Run(format.RunID(e.Job.LastRun)))
			if errors.Is(err, store.ErrUnavailable) || context.Cause(ctx) != nil {
				return err
			}
			s.config.Logger.ErrorContext(ctx, "a run is left out of a listing", "job", e.Job.Name, "error", err)
			continue
		}
		if len(h) == 0 {
			continue // it never ran, or the summary has expired
		}
		run, err := format.DecodeRun(store.RunID{Job: e.Job.Name, Number: e.Job.LastRun}, h, s.estimate())
		if err != nil {
			s.config.Logger.ErrorContext(ctx, "a run is left out of a listing",
				"job", e.Job.Name, "run", e.Job.LastRun, "error", err)
			continue
		}
		e.Run = &run
	}
	return nil
}
