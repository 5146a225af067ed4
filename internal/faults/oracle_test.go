package faults

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/rollcall-go/rollcall/internal/lifecycle"
	"github.com/rollcall-go/rollcall/syncjob"
	"github.com/rollcall-go/rollcall/syncjob/states"
)

// pollGap paces the oracle: it reads the run as often as that, from start to end.
const pollGap = 5 * time.Millisecond

// subject is one run under the eyes of the oracle.
type subject struct {
	*syncjob.Run // through the proxy
	w            *world
	want         growth
	direct       *syncjob.Run // past the proxy
	group        *lifecycle.Group

	mu     sync.Mutex
	polls  int
	last   states.Run
	broken error // the first thing that was wrong
}

var errNoMore = errors.New("the oracle has seen enough")

// observe has the oracle follow a run until it is final, or the test ends.
func (w *world) observe(run *syncjob.Run, want growth) *subject {
	w.t.Helper()
	s := &subject{
		Run:    run,
		w:      w,
		want:   want,
		direct: w.oracle.Run(run.Job(), run.Number()),
		group:  lifecycle.New(w.t.Context()),
	}
	w.subjects = append(w.subjects, s)
	s.group.Go(s.follow)
	w.t.Cleanup(func() {
		s.group.Stop(errNoMore)
		s.requireSound()
	})
	return s
}

func (s *subject) follow(ctx context.Context) {
	ticker := time.NewTicker(pollGap)
	defer ticker.Stop()
	for ctx.Err() == nil {
		state, err := s.direct.State(ctx)
		if err == nil && s.judge(state) {
			return
		}
		select {
		case <-ticker.C: // an error is the row's to judge: the server may be down on purpose
		case <-ctx.Done():
		}
	}
}

// judge compares a state with the one before, and reports whether there will be no
// more.
func (s *subject) judge(state states.Run) (over bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.polls++
	now, before := state.Counts, s.last.Counts
	var wrong string
	switch {
	case !now.Balanced():
		wrong = "the counts do not add up"
	case state.Status.Final() && now.Remaining() != 0:
		wrong = "the run has ended before its last task"
	case state.Status == states.Finishing && now.Remaining() != 0:
		wrong = "the hook was due before the last task has ended"
	case s.w.lossy: // a count may be less than it was
	case now.Succeeded < before.Succeeded || now.Failed < before.Failed || now.Cancelled < before.Cancelled:
		wrong = "a count that may only grow has shrunk"
	case now.Total+state.Duplicates < before.Total+s.last.Duplicates: // a staged duplicate is found when its turn comes
		wrong = "tasks have vanished"
	}
	if wrong != "" && s.broken == nil {
		s.broken = fmt.Errorf("poll %d of run %d of %q: %s: %s %+v, before that %s %+v",
			s.polls, s.Number(), s.Job(), wrong, state.Status, now, s.last.Status, before)
	}
	s.last = state
	return state.Status.Final() || s.broken != nil
}

func (s *subject) requireSound() {
	s.w.t.Helper()
	s.mu.Lock()
	defer s.mu.Unlock()
	require.NoError(s.w.t, s.broken)
}

// lastPoll is the last state that the oracle read.
func (s *subject) lastPoll() states.Run {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.last
}

// finish waits for the end of the run through the proxy, and requires that the oracle
// has seen the same.
func (s *subject) finish() states.Run {
	s.w.t.Helper()
	ctx, cancel := context.WithTimeout(s.w.t.Context(), patience)
	defer cancel()
	final, err := s.Wait(ctx)
	if err != nil {
		why, explainErr := s.direct.Explain(s.w.t.Context())
		s.w.t.Fatalf("the run did not end: %v\n%v%v", err, why, explainErr)
	}
	s.group.Wait()
	s.requireSound()
	last := s.lastPoll()
	require.Equal(s.w.t, final.Counts, last.Counts)
	require.Equal(s.w.t, final.Status, last.Status)
	return final
}

// requireGrown waits for the end of the run and requires that the tree was grown
// exactly: that many tasks failed for good, all others succeeded.
func (s *subject) requireGrown(failed int) states.Run {
	s.w.t.Helper()
	final := s.finish()
	g := s.want
	total := int64(len(g.paths))
	want := states.Counts{Total: total, Succeeded: total - int64(failed), Failed: int64(failed)}
	require.Equal(s.w.t, want, final.Counts)
	require.Equal(s.w.t, g.retried, final.Retried, "attempts that were tried again")
	require.Equal(s.w.t, g.duplicates, final.Duplicates)
	status := states.Succeeded
	if failed > 0 {
		status = states.Failed
	}
	require.Equal(s.w.t, status, final.Status)
	require.Empty(s.w.t, final.HookErr)
	if !g.quiet {
		s.requireChildrenOnce(g)
	}
	if !g.quiet && !g.light {
		s.requireResults(want.Succeeded)
	}
	s.requireHookOnce(string(status))
	later, err := s.direct.State(s.w.t.Context())
	require.NoError(s.w.t, err)
	require.Equal(s.w.t, final.Counts, later.Counts, "the run has ended, and something moved it still")
	require.Equal(s.w.t, final.Status, later.Status)
	require.Equal(s.w.t, final.Ended, later.Ended)
	return final
}

// requireResults requires that each task that succeeded has its result, and no other has one.
func (s *subject) requireResults(succeeded int64) {
	s.w.t.Helper()
	seen := make(map[string]bool)
	for r, err := range s.direct.Results(s.w.t.Context(), nil) {
		require.NoError(s.w.t, err)
		var path string
		require.NoError(s.w.t, r.Decode(&path))
		require.True(s.w.t, s.want.paths[path], "%s has the result %q", r.ID, path)
		require.False(s.w.t, seen[path], "two tasks have the result %q", path)
		seen[path] = true
	}
	require.Len(s.w.t, seen, int(succeeded))
}

// requireChildrenOnce requires that each path of the tree ran, under one ID only: had an
// attempt of its parent enqueued it again, there would be two.
func (s *subject) requireChildrenOnce(g growth) {
	s.w.t.Helper()
	ids := make(map[string]string)
	for _, e := range about(s.events(), started, "") {
		require.True(s.w.t, g.paths[e.Path], "path %s was never to run", e.Path)
		id, again := ids[e.Path]
		require.False(s.w.t, again && id != e.Task, "path %s was enqueued twice, as %s and %s", e.Path, id, e.Task)
		ids[e.Path] = e.Task
	}
	for path, runs := range g.paths {
		if runs && ids[path] == "" {
			s.w.t.Fatalf("path %s never ran", path)
		}
	}
}

// requireHookOnce requires that the hook has completed once, and saw the final status.
func (s *subject) requireHookOnce(status string) {
	s.w.t.Helper()
	done := about(s.events(), hookDone, "")
	require.Len(s.w.t, done, 1, "completions of the post-job hook")
	require.Equal(s.w.t, status, done[0].Text)
}

// events are the run's own.
func (s *subject) events() []event {
	var own []event
	for _, e := range s.w.all() {
		if e.Run == s.Number() {
			own = append(own, e)
		}
	}
	return own
}

// starts counts attempts of the run's tasks.
func (s *subject) starts() int { return times(s.events(), started) }
