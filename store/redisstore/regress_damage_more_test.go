package redisstore_test

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/rollcall-go/rollcall/store"
)

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
