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
	"github.com/rollcall-go/rollcall/store/redisstore/internal/format"
	"github.com/rollcall-go/rollcall/store/redisstore/internal/script"
	"github.com/rollcall-go/rollcall/store/rules"
	"github.com/rollcall-go/rollcall/store/verdicts"
)

// EnsureJob implements [store.Jobs].
func (s *Store) EnsureJob(ctx context.Context, p store.EnsureParams) (verdicts.Ensure, error) {
	k := s.space(p.Job)
	line := format.AuditLine(rules.NewAuditLine(ctx, actions.Declare, store.RunID{Job: p.Job}, "", ""))
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
		c := script.NewCall(k.Job(p.Job), k.Jobs, lastRun, k.Due, k.Index, k.Audit).
			Add(p.Job, string(p.Type), string(p.Definition)).
			Int64(p.Revision).
			Add(known)
		c.Add(string(p.Schedule)).Flag(p.DueNow).Add(k.Channel, line)
		word, _, err := s.server.Word(ctx, script.EnsureJob, c)
		switch {
		case err != nil:
			return "", err
		case word == "active":
			n, _ := format.ParseInt(known)
			return "", &store.JobExistsError{Active: store.RunID{Job: p.Job, Number: n}}
		case word == "created", word == "updated", word == "unchanged", word == "kept":
			return verdicts.Ensure(word), nil
		case word != "again":
			return "", script.Unexpected(script.EnsureJob, word)
		}
	}
	return "", store.Transient(fmt.Errorf("declare job %q: others keep starting it", p.Job))
}

// SetJobDisabled implements [store.Jobs].
func (s *Store) SetJobDisabled(ctx context.Context, job string, disabled bool) error {
	k := s.space(job)
	line := format.AuditLine(rules.NewAuditLine(ctx, actions.EnableOrDisable(!disabled), store.RunID{Job: job}, "", ""))
	c := script.NewCall(k.Job(job), k.Due, k.Index, k.Audit).Add(job).Flag(disabled).Add(k.Channel, line)
	word, _, err := s.server.Word(ctx, script.DisableJob, c)
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

// ListJobs implements [store.Jobs]. A page costs four round trips, with p.Details five.
func (s *Store) ListJobs(ctx context.Context, p store.ListParams) (store.JobPage, error) {
	var page store.JobPage
	if err := s.server.Begin(ctx); err != nil {
		return page, err
	}
	k := s.spaces[p.Partition]
	places, err := s.jobPlaces(ctx, k, &p)
	if err != nil {
		return page, err
	}
	names := make([]string, len(places))
	for i := range places {
		names[i] = places[i].Name
	}
	n, err := s.fittingJobs(ctx, k, names, p.Details)
	if err != nil {
		return page, err
	}
	if n < len(names) || n == p.Limit {
		if last := places[n-1]; p.ByChange {
			page.Behind = last
		} else {
			page.Next = last.Name
		}
	}
	jobs, err := s.readJobs(ctx, k, names[:n])
	if err == nil {
		err = s.readLastRuns(ctx, k, jobs, p.Details)
	}
	page.Jobs = slices.DeleteFunc(jobs, func(e store.JobEntry) bool { return !p.Match(&e) })
	return page, err
}

// jobPlaces finds the jobs that a page looks at. By their names they have no time.
func (s *Store) jobPlaces(ctx context.Context, k *format.Keyspace, p *store.ListParams) ([]store.Place, error) {
	if p.ByChange {
		w := walk{limit: p.Limit, after: p.Behind, states: statesOf(p.Statuses, format.IndexJobs)}
		if len(p.Statuses) == 0 {
			w.states = format.IndexAllJobs()
		}
		places, err := s.index(ctx, k, &w)
		seen := make(map[string]bool, len(places))
		return slices.DeleteFunc(places, func(p store.Place) bool { // it moved while two states were read
			again := seen[p.Name]
			seen[p.Name] = true
			return again
		}), err
	}
	from, to := "("+max(p.After, format.LastPeriodic), "+"
	if p.Periodic {
		from, to = "("+format.Periodic+p.After, "["+format.LastPeriodic
	}
	list := s.client.B().Zrangebylex().Key(k.Jobs).Min(from).Max(to).Limit(0, int64(p.Limit)).Build()
	names, err := s.client.Do(ctx, list).AsStrSlice()
	places := make([]store.Place, len(names))
	for i, name := range names {
		places[i].Name = strings.TrimPrefix(name, format.Periodic)
	}
	return places, script.Empty(s.server.Translate(ctx, "list jobs", err))
}

// fittingJobs returns how many of the first jobs, with their newest runs, fit in about
// [bounds.PageBytes].
func (s *Store) fittingJobs(ctx context.Context, k *format.Keyspace, names []string, details bool) (int, error) {
	b := s.client.B
	var lengths rueidis.Commands
	parts := 1
	for _, name := range names {
		lengths = append(lengths, b().Hstrlen().Key(k.Job(name)).Field("definition").Build())
	}
	if details {
		lengths = nil
		cmds := make(rueidis.Commands, 0, len(names))
		for _, name := range names {
			cmds = append(cmds, b().Hmget().Key(k.Job(name)).Field("run").Build())
		}
		parts = 1 + len(largeFields)
		for i, r := range s.client.DoMulti(ctx, cmds...) {
			run, err := script.First(r.ToArray())
			if err = script.Empty(s.server.Translate(ctx, "read a job", err)); err != nil {
				return 0, err
			}
			lengths = append(lengths, b().Hstrlen().Key(k.Job(names[i])).Field("definition").Build())
			for _, field := range largeFields {
				lengths = append(lengths, b().Hstrlen().Key(k.Run(run)).Field(field).Build())
			}
		}
	}
	n, err := fitting(s.client.DoMulti(ctx, lengths...), parts)
	return n, s.server.Translate(ctx, "read lengths", err)
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
// that run returns the error. It also leaves out one that has expired.
func (s *Store) readLastRuns(ctx context.Context, k *format.Keyspace, jobs []store.JobEntry, details bool) error {
	for chunk := range slices.Chunk(jobs, listedAtOnce) {
		places := make([]store.Place, len(chunk))
		for i := range chunk {
			places[i].Number = chunk[i].Job.LastRun
		}
		runs, _, err := s.listedRuns(ctx, k, places)
		if err != nil {
			return err
		}
		for i, r := range runs {
			if r != nil && r.ID.Job == chunk[i].Job.Name {
				chunk[i].Run = r
			}
		}
	}
	if !details {
		return nil
	}
	return s.addRunDetails(ctx, k, jobs)
}

// addRunDetails reads the whole records of newest runs.
func (s *Store) addRunDetails(ctx context.Context, k *format.Keyspace, jobs []store.JobEntry) error {
	var cmds rueidis.Commands
	for i := range jobs {
		cmds = append(cmds, s.client.B().Hgetall().Key(k.Run(format.RunID(jobs[i].Job.LastRun))).Build())
	}
	for i, reply := range s.client.DoMulti(ctx, cmds...) {
		e := &jobs[i]
		if e.Run == nil {
			continue
		}
		h, err := reply.AsStrMap()
		if err == nil {
			*e.Run, err = format.DecodeRun(e.Run.ID, h, s.estimate())
		}
		switch {
		case err == nil:
		case errors.Is(err, store.ErrRunNotFound):
			e.Run = nil // removed meanwhile
		default:
			e.Run = nil
			if err = s.leftOut(ctx, k.Run(format.RunID(e.Job.LastRun)), err); err != nil {
				return err
			}
		}
	}
	return nil
}
