package redisstore_test

import (
	"strings"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/rollcall-go/rollcall/store"
	"github.com/rollcall-go/rollcall/store/statuses"
	"github.com/rollcall-go/rollcall/store/verdicts"
)

// goesOn requires that whatever is done about the good run, job, session and so on succeeds beside
// the damage, that what is done about the bad ones is answered with an error of the contract at
// worst, and that the good run ends with exact counts.
func (s *wreck) goesOn() {
	s.Helper()
	beat, err := s.Heartbeat(s.Context(), s.beat(s.bad, s.good))
	require.NoError(s, err, "a heartbeat")
	require.Equal(s, statuses.Running, beat.Runs[1].Status)
	s.settlesHeld()
	s.beside()
	s.producesBeside()
	s.lists()
	for _, fresh := range []store.Store{s.Store, s.newProcess()} {
		s.keeps(fresh)
	}
	s.fires()
	s.badIsTyped()
	s.finishes()
}

// settlesHeld settles what w holds of both runs in one call.
func (s *wreck) settlesHeld() {
	s.Helper()
	var outcomes []store.Outcome
	all := []verdicts.Verdict{verdicts.Success, verdicts.Retry, verdicts.Fail, verdicts.Release, verdicts.Success}
	at := 0
	for _, d := range s.held {
		o := outcomeOf(d, all[at%len(all)])
		if at == len(all)-1 {
			o.Children = []store.Item{itemOf("k", "child")}
		}
		if o.Verdict == verdicts.Retry {
			o.Delay = time.Millisecond
		}
		outcomes = append(outcomes, o)
		at++
	}
	s.w.settled++
	reply, err := s.Settle(s.Context(), store.SettleParams{Session: s.w.id, Number: s.w.settled, Worker: "w", Outcomes: outcomes})
	require.NoError(s, err, "a settlement")
	for _, i := range reply.Lost {
		require.Equal(s, s.bad, outcomes[i].Lease.Lane.Run, "an outcome of the good run is lost")
	}
	clear(s.held)
}

// beside uses everything that is no run.
func (s *wreck) beside() {
	s.Helper()
	ctx := s.Context()
	_, err := s.WriteConfiguration(ctx, configuring("good", "second"))
	require.NoError(s, err)
	records, err := s.WatchConfigurations(ctx, []string{"bad", "good"})
	require.NoError(s, err)
	require.NoError(s, records[1].Err)
	_, err = s.Configuration(ctx, store.ConfigurationID{Run: s.good})
	require.NoError(s, err)
	_, err = s.RefreshSemaphore(ctx, "good", "first", time.Minute)
	require.NoError(s, err)
	require.NoError(s, s.ReleaseSemaphore(ctx, "good", "first"))
	_, err = s.AcquireSemaphore(ctx, claiming("good", "second"))
	require.NoError(s, err)
	_, err = s.Draw(ctx, drawing("good", 2))
	require.NoError(s, err)
	require.NoError(s, s.Resume(ctx, 0, store.PauseScope{}))
	require.NoError(s, s.PublishSet(ctx, store.SetRecord{Name: "good", Description: []byte("{}")}))
	_, err = s.SessionsLeft(ctx, 0, "w")
	require.NoError(s, err)
}

// producesBeside adds to both runs, and to values of both, in one call each.
func (s *wreck) producesBeside() {
	s.Helper()
	s.enqueued++
	claimed, delayed := itemOf("k", "again"), itemOf("k", "delayed again")
	claimed.Task.Claimed, delayed.At = true, time.UnixMilli(2000)
	p := store.EnqueueParams{Stream: "producer", Number: s.enqueued}
	for _, run := range []store.RunID{s.bad, s.good} {
		for _, item := range []store.Item{itemOf("k", "more"), claimed, delayed, itemOf("other", "more")} {
			p.Entries = append(p.Entries, store.Entry{Run: run, Item: item})
		}
		p.Holds = append(p.Holds, store.HoldChange{Run: run, Name: "second"}, store.HoldChange{Run: run, Name: "second", Close: true})
	}
	reply, err := s.Enqueue(s.Context(), p)
	require.NoError(s, err, "an enqueue")
	for i, r := range reply.Entries {
		require.True(s, typed(r.Err))
		if p.Entries[i].Run == s.good {
			require.NoError(s, r.Err)
		}
	}
	s.enqueued++
	bad, good := s.writes("bad"), s.writes("good")
	written, err := s.WriteValues(s.Context(), store.WriteParams{Stream: "producer", Number: s.enqueued, Writes: append(bad, good...)})
	require.NoError(s, err, "writes")
	for i, r := range written.Results {
		require.True(s, typed(r.Err))
		if i >= len(bad) {
			require.NoError(s, r.Err)
		}
	}
	root := itemOf("k", "root")
	_, err = s.StartRun(s.Context(), store.StartParams{
		Job: "fresh", Token: "fresh", Set: "set", Weight: 1, Retention: time.Hour, FailureCap: 1, Root: &root,
	})
	require.NoError(s, err, "a start")
}

// lists reads everything that is about more than one.
func (s *wreck) lists() {
	s.Helper()
	ctx := s.Context()
	page, err := s.ListJobs(ctx, store.ListParams{Limit: 100})
	require.NoError(s, err, "a listing")
	for _, e := range page.Jobs {
		if e.Job.Name == "good" {
			require.NotNil(s, e.Run)
		}
	}
	_, err = s.QueueStats(ctx, 0)
	require.NoError(s, err, "the counts of queues")
	_, err = s.LiveSessions(ctx, 0)
	require.NoError(s, err, "the workers")
	_, err = s.Sets(ctx, 0)
	require.NoError(s, err, "the sets")
	_, err = s.Inspect(ctx, s.good)
	require.NoError(s, err)
	_, err = s.Failures(ctx, store.FailuresParams{Run: s.good, Limit: 10})
	require.NoError(s, err)
	numbers, err := s.JobRuns(ctx, "good")
	require.NoError(s, err)
	require.Equal(s, []int64{s.good.Number}, numbers)
	_, err = s.Held(ctx, s.w.id, nil)
	require.NoError(s, err)
	require.NoError(s, s.SetRunPaused(ctx, s.good, true))
	require.NoError(s, s.SetRunPaused(ctx, s.good, false))
}

// keeps promotes and sweeps after the worker "dead" has died.
func (s *wreck) keeps(by store.Store) {
	s.Helper()
	for range 4 {
		_, err := by.Promote(s.Context(), 0)
		require.NoError(s, err, "a promotion")
	}
	require.True(s, typed(by.CloseSession(s.Context(), s.dead.id)), "the end of a session")
	for more := true; more; {
		reply, err := by.Sweep(s.Context(), 0)
		require.True(s, typed(err), "a sweep: %v", err)
		more = reply.More && err == nil
	}
}

// fires lets the periodic job of the good ones go on.
func (s *wreck) fires() {
	s.Helper()
	ctx := s.Context()
	name := periodicOf("good", 2).Job
	result, err := s.EnsureJob(ctx, periodicOf("good", 2))
	require.NoError(s, err)
	require.Equal(s, verdicts.EnsureUpdated, result)
	job, err := s.Job(ctx, name)
	require.NoError(s, err)
	next := time.Now().Add(time.Hour)
	p := store.StartParams{Job: name, Set: "set", Weight: 1, Retention: time.Hour, FailureCap: 1, Open: true}
	_, err = s.FireRun(ctx, store.FireParams{Start: p, Due: job.Due, Changes: job.Changes, Next: []time.Time{next}})
	require.NoError(s, err, "firing")
	require.NoError(s, s.SetJobDisabled(ctx, name, true))
	require.NoError(s, s.SetJobDisabled(ctx, name, false))
}

// badIsTyped asks for everything of the bad ones.
func (s *wreck) badIsTyped() {
	s.Helper()
	ctx := s.Context()
	name := periodicOf("bad", 2).Job
	var job store.JobRecord
	for what, try := range map[string]func() error{
		"run":     func() error { _, err := s.Run(ctx, s.bad); return err },
		"inspect": func() error { _, err := s.Inspect(ctx, s.bad); return err },
		"failures": func() error {
			_, err := s.Failures(ctx, store.FailuresParams{Run: s.bad, Limit: 10})
			return err
		},
		"pause":     func() error { return s.SetRunPaused(ctx, s.bad, true) },
		"resume":    func() error { return s.SetRunPaused(ctx, s.bad, false) },
		"ensure":    func() error { _, err := s.EnsureJob(ctx, periodicOf("bad", 2)); return err },
		"job":       func() (err error) { job, err = s.Job(ctx, name); return err },
		"disable":   func() error { return s.SetJobDisabled(ctx, name, true) },
		"enable":    func() error { return s.SetJobDisabled(ctx, name, false) },
		"runs":      func() error { _, err := s.JobRuns(ctx, "bad"); return err },
		"acquire":   func() error { _, err := s.AcquireSemaphore(ctx, claiming("bad", "third")); return err },
		"refresh":   func() error { _, err := s.RefreshSemaphore(ctx, "bad", "first", time.Minute); return err },
		"release":   func() error { return s.ReleaseSemaphore(ctx, "bad", "first") },
		"semaphore": func() error { _, err := s.Semaphore(ctx, "bad"); return err },
		"force":     func() error { _, err := s.ForceReleaseSemaphore(ctx, "bad", 1, 1); return err },
		"keys":      func() error { _, err := s.SemaphoreKeys(ctx, store.KeysParams{Limit: 10}); return err },
		"limit":     func() error { _, err := s.Limit(ctx, "bad"); return err },
		"values": func() error {
			_, err := s.ListValues(ctx, store.ValuesParams{Scope: store.JobScope("bad"), Limit: 10})
			return err
		},
		"values of a run": func() error {
			_, err := s.ListValues(ctx, store.ValuesParams{Scope: store.RunScope(s.bad), Limit: 10})
			return err
		},
		"values of all": func() error {
			_, err := s.ListValues(ctx, store.ValuesParams{Scope: store.NamespaceScope(0), Limit: 10})
			return err
		},
		"draw":      func() error { _, err := s.Draw(ctx, drawing("bad", 2)); return err },
		"forfeit":   func() error { return s.Forfeit(ctx, "bad", store.Holding{Holder: "w", Number: 1}) },
		"configure": func() error { _, err := s.WriteConfiguration(ctx, configuring("bad", "second")); return err },
		"history":   func() error { _, err := s.ConfigurationHistory(ctx, store.ConfigurationID{Set: "bad"}); return err },
		"document":  func() error { _, err := s.Configuration(ctx, store.ConfigurationID{Run: s.bad}); return err },
		"held":      func() error { _, err := s.Held(ctx, s.dead.id, nil); return err },
		"lost":      func() error { _, err := s.LostSessions(ctx, 0); return err },
		"pauses":    func() error { _, err := s.Pauses(ctx, 0); return err },
		"audit":     func() error { _, err := s.Audit(ctx, store.AuditParams{Limit: 9}); return err },
		"producer":  func() error { return s.OpenProducer(ctx, 0, "bad") },
		"enqueue": func() error {
			_, err := s.Enqueue(ctx, store.EnqueueParams{Stream: "bad", Number: 3})
			return err
		},
		"fetch": func() error {
			_, err := s.Fetch(ctx, s.dead.ask(1, "k"))
			return err
		},
		"fire": func() error {
			p := store.StartParams{Job: name, Set: "set", Weight: 1, Retention: time.Hour, FailureCap: 1, Open: true}
			_, err := s.FireRun(ctx, store.FireParams{Start: p, Due: job.Due, Changes: job.Changes, Next: []time.Time{time.Now().Add(time.Hour)}})
			return err
		},
		"start": func() error {
			p := second(true)
			p.Job = "bad"
			_, err := s.StartRun(ctx, p)
			return err
		},
		"stop":       func() error { return s.StopRun(ctx, store.StopParams{Run: s.bad}) },
		"delete run": func() error { return s.DeleteRun(ctx, s.bad) },
	} {
		err := try()
		require.True(s, typed(err), "%s: %v", what, err)
		s.named(err)
	}
	for _, w := range s.writes("bad") {
		_, err := s.ReadValue(ctx, store.ReadParams{Scope: w.Scope, Name: w.Name, Type: w.Type})
		require.True(s, typed(err), "read value %s: %v", w.Name, err)
		s.named(err)
	}
}

// named requires that an error about a key of a wrong type says which key it is.
func (s *wreck) named(err error) {
	s.Helper()
	if err != nil && strings.Contains(err.Error(), "WRONGTYPE") {
		require.ErrorContains(s, err, s.prefix())
	}
}

// finishes repairs what was lost with shared indexes, and works the good run off.
func (s *wreck) finishes() {
	s.Helper()
	ctx := s.Context()
	for _, job := range []string{"bad", "good"} {
		_, err := s.Repair(ctx, store.RepairParams{Job: job})
		require.True(s, typed(err), "a repair: %v", err)
		if job == "good" {
			require.NoError(s, err)
		}
	}
	last := s.worker("last")
	for idle := 0; idle < 3; {
		s.keeps(s.Store)
		d := last.fetchRecovered(100, "k", "m", "staged", "other")
		if idle++; len(d) == 0 {
			continue
		}
		idle = 0
		outcomes := make([]store.Outcome, len(d))
		for i := range d {
			outcomes[i] = outcomeOf(d[i], verdicts.Success)
		}
		last.settled++
		_, err := s.Settle(ctx, store.SettleParams{Session: last.id, Number: last.settled, Outcomes: outcomes})
		require.NoError(s, err)
	}
	counts := s.record(s.good).Counts
	require.Zero(s, counts.Pending+counts.Delayed+counts.Running, "%+v", counts)
	require.Equal(s, counts.Total, counts.Succeeded+counts.Failed+counts.Cancelled)
	require.NoError(s, s.StopRun(ctx, store.StopParams{Run: s.good}))
}
