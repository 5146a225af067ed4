package redisstore_test

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/rollcall-go/rollcall/store"
	"github.com/rollcall-go/rollcall/store/damage"
	"github.com/rollcall-go/rollcall/store/statuses"
)

// wrong has every key that may be damaged be of another type, and returns those that no key of
// their kind may be of. A value may be a hash, or a list.
func (s *wreck) wrong(kind string) (wrong []string) {
	s.Helper()
	for _, name := range s.badKeys() {
		value := strings.HasPrefix(name, "value:") && (kind == "hash" || kind == "list")
		if s.typeOf(name) != kind && !value {
			wrong = append(wrong, name)
		}
		s.overwrite(name, kind)
	}
	return wrong
}

// removed lists the keys that a report says are of a wrong type.
func removed(report store.RepairReport) (all []string) {
	for _, d := range report.Damage {
		if name, ok := strings.CutPrefix(d.What, "key "); ok && d.Type == damage.Record {
			all = append(all, name)
		}
	}
	return all
}

func TestARepairRemovesEveryKeyOfAWrongTypeAndNamesIt(t *testing.T) {
	for _, kind := range slices.Sorted(maps.Keys(typesOfKeys)) {
		t.Run(kind, func(t *testing.T) {
			s := newWreck(t)
			wrong := s.wrong(kind)
			require.NotEmpty(t, wrong)
			found, err := s.Repair(t.Context(), store.RepairParams{Job: "good", DryRun: true})
			require.NoError(t, err)
			require.ElementsMatch(t, wrong, removed(found))
			mended, err := s.Repair(t.Context(), store.RepairParams{Job: "good"})
			require.NoError(t, err)
			require.ElementsMatch(t, wrong, removed(mended))
			for _, name := range wrong {
				require.NotEqual(t, kind, s.typeOf(name), "%s is as it was", name)
			}
			again, err := s.Repair(t.Context(), store.RepairParams{Job: "good"})
			require.NoError(t, err)
			require.Empty(t, removed(again))
		})
	}
}

func TestWhatARepairFailsIsCountedUnderItsRoute(t *testing.T) {
	s := newScene(t)
	run := s.begin(store.StartParams{Job: "job", Open: true})
	s.enqueue(run, items("k", 2)...)
	lane := fmt.Sprintf("%d/q/set/k", run.Number)
	s.command("LSET", "W:"+lane, "1", "garbage")

	tried := "g\xffrbage" // as if it had been tried
	s.command("ZADD", "D:"+lane, "9e12", tried)
	s.command("ZADD", "due", "9e12", lane)
	for _, field := range []string{"delayed", "total", "y:q/set/k"} {
		s.command("HINCRBY", "run:"+strconv.FormatInt(run.Number, 10), field, "1")
	}
	records := func() store.QueueRecord {
		stats, err := s.QueueStats(t.Context(), 0)
		require.NoError(t, err)
		require.Len(t, stats, 1)
		stats[0].Oldest = time.Time{}
		return stats[0]
	}
	want := store.QueueRecord{Route: routeOf("k"), Waiting: 2, Retrying: 1, Runs: 1, Enqueued: 2}
	require.Equal(t, want, records())
	_, err := s.Repair(t.Context(), store.RepairParams{Job: "job"})
	require.NoError(t, err)
	want.Waiting, want.Retrying, want.Failed, want.Started = 1, 0, 2, 2
	require.Equal(t, want, records())
	late := itemOf("k", "late")
	late.Delay = time.Hour
	s.enqueue(run, late)
	want.Delayed, want.Enqueued = 1, 3
	require.Equal(t, want, records(), "no other delayed task is taken for one that was tried")
}

// TestARepairListsAnOlderRunInTheStateThatItGives damages a run that is not the newest of its job, so
// that its entry in the index tells of a state, or a time, that it does not have any more.
func TestARepairListsAnOlderRunInTheStateThatItGives(t *testing.T) {
	for _, field := range []string{"state", "changed"} {
		t.Run(field, func(t *testing.T) {
			s := newScene(t)
			older := s.begin(store.StartParams{Job: "job"})
			s.enqueue(older, items("k", 1)...)
			require.NoError(t, s.StopRun(t.Context(), store.StopParams{Run: older}))
			require.Equal(t, statuses.Stopped, s.record(older).Status)
			reply, err := s.StartRun(t.Context(), store.StartParams{
				Job: "job", Token: "newer", Set: "set", Open: true, Weight: 1, Retention: time.Hour, FailureCap: 1,
			})
			require.NoError(t, err)
			s.command("HSET", "run:"+RunID(older), field, "odd")
			s.command("ZADD", "index", "1", RunID(older)) // it was running
			_, err = s.Repair(t.Context(), store.RepairParams{Job: "job"})
			require.NoError(t, err)
			v, err := s.client.Do(t.Context(), s.client.B().Hmget().Key(s.prefix()+"run:"+RunID(older)).Field("changed").Build()).AsStrSlice()
			require.NoError(t, err)
			changed, err := strconv.ParseFloat(v[0], 64)
			require.NoError(t, err)
			require.Equal(t, statuses.Stopped, s.record(older).Status)
			score, err := s.client.Do(t.Context(), s.client.B().Zscore().Key(s.prefix()+"index").Member(RunID(older)).Build()).AsFloat64()
			require.NoError(t, err)
			require.InDelta(t, 6e13+changed, score, 0.5, "stopped, when it changed")
			require.Equal(t, statuses.Running, s.record(reply.Run).Status)
		})
	}
}
