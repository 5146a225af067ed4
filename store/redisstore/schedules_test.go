package redisstore_test

import (
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/rollcall-go/rollcall/store"
	"github.com/rollcall-go/rollcall/store/bounds"
	"github.com/rollcall-go/rollcall/store/signals"
	"github.com/rollcall-go/rollcall/store/statuses"
	"github.com/rollcall-go/rollcall/store/verdicts"
)

// When the server's clock was put back and the job was enabled again, it is due once more at a time
// that has begun a run. It must not be due at that time for ever.
func TestADueTimeThatComesAgainGivesWayToTheNext(t *testing.T) {
	s := newScene(t)
	_, err := s.EnsureJob(
		t.Context(),
		store.EnsureParams{Job: "nightly", Type: statuses.JobPeriodic, Definition: []byte("1"), Schedule: []byte("1"), DueNow: true},
	)
	require.NoError(t, err)
	rec, err := s.Store.Job(t.Context(), "nightly")
	require.NoError(t, err)
	p := store.FireParams{
		Start: store.StartParams{Job: "nightly", Set: "set", Open: true, Retention: time.Hour, FailureCap: 1, Weight: 1, Declared: true},
		Due:   rec.Due, Changes: rec.Changes, Next: []time.Time{rec.Due.Add(time.Hour)},
	}
	first, err := s.FireRun(t.Context(), p)
	require.NoError(t, err)
	require.Equal(t, verdicts.FireStarted, first.Verdict)
	due := rec.Due.UnixMilli()
	s.command("HSET", "job:nightly", "due", strconv.FormatInt(due, 10), "acts", strconv.FormatInt(due, 10))

	p.Next = []time.Time{rec.Due.Add(2 * time.Hour)}
	heard := s.listen()
	again, err := s.FireRun(t.Context(), p)
	require.NoError(t, err)
	require.Equal(t, verdicts.FireStarted, again.Verdict)
	require.Equal(t, first.Run, again.Run)
	rec, err = s.Store.Job(t.Context(), "nightly")
	require.NoError(t, err)
	require.True(t, rec.Due.Equal(p.Next[0]))
	heard(store.Signal{Type: signals.Due})
	numbers, err := s.JobRuns(t.Context(), "nightly")
	require.NoError(t, err)
	require.Len(t, numbers, 1)
}

// What stands in the set of due times and has no schedule in force would be told of for ever.
func TestPostponingDropsWhatHasNoScheduleInForce(t *testing.T) {
	s := newScene(t)
	s.command("ZADD", "due", "1000", "j:ghost")
	err := s.PostponeJob(t.Context(), store.PostponeParams{Job: "ghost", Problem: "gone"})
	require.ErrorIs(t, err, store.ErrJobNotFound)
	_, err = s.EnsureJob(t.Context(), store.EnsureParams{Job: "nightly", Type: statuses.JobPeriodic, Definition: []byte("1")})
	require.NoError(t, err)
	require.NoError(t, s.SetJobDisabled(t.Context(), "nightly", true))
	s.command("ZADD", "due", "1000", "j:nightly")
	require.NoError(t, s.PostponeJob(t.Context(), store.PostponeParams{Job: "nightly", Problem: "gone"}))
	reply, err := s.Promote(t.Context(), 0)
	require.NoError(t, err)
	require.Empty(t, reply.Jobs)
	require.True(t, reply.Next.IsZero())
}

// A key of a wrong type under a job's name cannot keep why the job is not fired, and is put off all
// the same.
func TestAJobThatCannotBeReadIsPostponed(t *testing.T) {
	s := newScene(t)
	s.command("ZADD", "due", "1000", "j:nightly")
	s.command("SET", "job:nightly", "something else")
	reply, err := s.Promote(t.Context(), 0)
	require.NoError(t, err)
	require.Equal(t, []string{"nightly"}, reply.Jobs)
	require.NoError(t, s.PostponeJob(t.Context(), store.PostponeParams{Job: "nightly", Problem: "damaged"}))
	reply, err = s.Promote(t.Context(), 0)
	require.NoError(t, err)
	require.Empty(t, reply.Jobs)
	require.WithinDuration(t, reply.Now.Add(bounds.PostponeLast), reply.Next, 10*time.Second)
}
