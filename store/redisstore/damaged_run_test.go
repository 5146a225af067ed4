package redisstore_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/rollcall-go/rollcall/store"
	"github.com/rollcall-go/rollcall/store/statuses"
	"github.com/rollcall-go/rollcall/store/verdicts"
)

// eachDamage runs the test for every way in which the record of a run may be damaged.
func eachDamage(t *testing.T, test func(s *scene, damage func(store.RunID))) {
	for name, words := range map[string][]string{
		"overwritten":  {"SET", "garbage"},
		"gone":         {"DEL"},
		"not a number": {"HSET", "pending", "many", "running", "few"},
	} {
		t.Run(name, func(t *testing.T) {
			s := newScene(t)
			test(s, func(run store.RunID) {
				s.command(words[0], fmt.Sprintf("run:%d", run.Number), words[1:]...)
			})
		})
	}
}

// pair begins a run that is to be damaged and a healthy one that waits beside it.
func pair(s *scene) (bad, good store.RunID) {
	s.Helper()
	return start(s, s, "a-bad"), start(s, s, "b-good")
}

func TestFetchGoesOnBesideADamagedRun(t *testing.T) {
	eachDamage(t, func(s *scene, damage func(store.RunID)) {
		w := s.worker("w")
		bad, good := pair(s)
		damage(bad)
		for _, d := range w.fetch(10, "k") {
			if d.Lease.Lane.Run == good {
				w.settle(outcomeOf(d, verdicts.Success))
			}
		}
		require.Equal(s, statuses.Succeeded, s.record(good).Status)
	})
}

func TestSettleGoesOnBesideADamagedRun(t *testing.T) {
	eachDamage(t, func(s *scene, damage func(store.RunID)) {
		w := s.worker("w")
		bad, good := pair(s)
		d := w.fetch(2, "k")
		require.Len(s, d, 2)
		damage(bad)
		reply, err := s.Settle(s.Context(), store.SettleParams{
			Session: w.id, Number: 1,
			Outcomes: []store.Outcome{outcomeOf(d[0], verdicts.Success), outcomeOf(d[1], verdicts.Success)},
		})
		require.NoError(s, err)
		require.Equal(s, []store.RunID{good}, reply.Ended)
		require.Len(s, reply.Lost, 1)
		require.Equal(s, bad, d[reply.Lost[0]].Lease.Lane.Run)
	})
}

func TestDeadSessionsAreReclaimedBesideADamagedRun(t *testing.T) {
	eachDamage(t, func(s *scene, damage func(store.RunID)) {
		bad, good := pair(s)
		first, second, both := s.worker("first"), s.worker("second"), s.begin(store.StartParams{Job: "both"})
		held := append(first.fetch(1, "k"), second.fetch(1, "k")...)
		require.Len(s, held, 2)
		s.enqueue(both, items("k", 2)...)
		first.fetchOne("k")
		second.fetchOne("k")
		damage(bad)
		for _, session := range []string{"first", "second"} {
			s.command("ZADD", "leases", "1", session) // expired long ago
		}
		s.sweep()
		require.Zero(s, s.record(good).Counts.Running)
		require.Equal(s, store.Counts{Total: 2, Pending: 2}, s.record(both).Counts)
		live, err := s.LiveSessions(s.Context(), 0)
		require.NoError(s, err)
		require.Empty(s, live)
	})
}

func TestSweepTidiesUpBesideADamagedRun(t *testing.T) {
	eachDamage(t, func(s *scene, damage func(store.RunID)) {
		bad, good := pair(s)
		for _, run := range []store.RunID{bad, good} {
			require.NoError(s, s.StopRun(s.Context(), store.StopParams{Run: run}))
		}
		damage(bad)
		sceneOn(s, s.server, s.server.URL(), s.namespace).sweep() // by a process that never knew the run
		require.Empty(s, s.left("W:"))
	})
}

func TestAListingGoesOnBesideADamagedRun(t *testing.T) {
	eachDamage(t, func(s *scene, damage func(store.RunID)) {
		bad, good := pair(s)
		damage(bad)
		page, err := s.ListJobs(s.Context(), store.ListParams{Limit: 10})
		require.NoError(s, err)
		require.Len(s, page.Jobs, 2)
		require.Nil(s, page.Jobs[0].Run)
		require.NotNil(s, page.Jobs[1].Run)
		require.Equal(s, good, page.Jobs[1].Run.ID)
	})
}

func TestPromotionGoesOnBesideADamagedRun(t *testing.T) {
	eachDamage(t, func(s *scene, damage func(store.RunID)) {
		bad, good := s.begin(store.StartParams{Job: "bad"}), s.begin(store.StartParams{Job: "good"})
		delayed := itemOf("k", "delayed")
		for i, run := range []store.RunID{bad, good} {
			delayed.At = time.UnixMilli(int64(i + 1)) // the damaged one is due first
			s.enqueue(run, delayed)
		}
		damage(bad)
		_, err := s.Promote(s.Context(), 0)
		require.NoError(s, err)
		require.Equal(s, store.Counts{Total: 1, Pending: 1}, s.record(good).Counts)
	})
}

func TestEnqueueGoesOnBesideADamagedRun(t *testing.T) {
	eachDamage(t, func(s *scene, damage func(store.RunID)) {
		bad, good := s.begin(store.StartParams{Job: "bad"}), s.begin(store.StartParams{Job: "good"})
		damage(bad)
		reply, err := s.Enqueue(s.Context(), store.EnqueueParams{Stream: "producer", Number: 1, Entries: []store.Entry{
			{Run: bad, Item: itemOf("k", "task")}, {Run: good, Item: itemOf("k", "task")},
		}})
		require.NoError(s, err)
		require.ErrorIs(s, reply.Entries[0].Err, store.ErrRunNotFound)
		require.NoError(s, reply.Entries[1].Err)
		require.Equal(s, store.Counts{Total: 1, Pending: 1}, s.record(good).Counts)
	})
}

func TestQueueStatsGoOnBesideADamagedRun(t *testing.T) {
	eachDamage(t, func(s *scene, damage func(store.RunID)) {
		bad, _ := pair(s)
		damage(bad)
		stats, err := s.QueueStats(s.Context(), 0)
		require.NoError(s, err)
		require.Len(s, stats, 1)
		require.Positive(s, stats[0].Waiting)
	})
}

func TestADamagedRunIsReportedAsCorrupt(t *testing.T) {
	s := newScene(t)
	bad, _ := pair(s)
	s.command("SET", fmt.Sprintf("run:%d", bad.Number), "garbage")
	_, err := s.Run(t.Context(), bad)
	require.ErrorIs(t, err, store.ErrCorrupt)
	require.ErrorIs(t, s.DeleteRun(t.Context(), bad), store.ErrCorrupt)
}

func TestDeadSessionsAreReclaimedByAProcessThatNeverKnewTheDamagedRun(t *testing.T) {
	eachDamage(t, func(s *scene, damage func(store.RunID)) {
		bad, good := pair(s)
		w := s.worker("w")
		require.Len(s, w.fetch(2, "k"), 2)
		damage(bad)
		s.command("ZADD", "leases", "1", "w") // expired long ago
		sceneOn(s, s.server, s.server.URL(), s.namespace).sweep()
		require.Equal(s, store.Counts{Total: 1, Pending: 1}, s.record(good).Counts)
	})
}
