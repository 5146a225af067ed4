package syncjob_test

import (
	"context"
	"encoding/json"
	"errors"
	"runtime/debug"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/rollcall-go/rollcall/handlers"
	"github.com/rollcall-go/rollcall/store"
	"github.com/rollcall-go/rollcall/store/memstore"
	"github.com/rollcall-go/rollcall/syncjob"
	"github.com/rollcall-go/rollcall/syncjob/states"
)

func lostWorkers(t *testing.T, m *syncjob.Manager) []states.LostWorker {
	t.Helper()
	lost, err := m.LostWorkers(t.Context())
	require.NoError(t, err)
	return lost
}

func TestWorkersThatWereLostAreListedOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		shared := memstore.New(&memstore.Options{Partitions: 3})
		sleeps := set(t, handlers.SetConfig{}, func(ctx context.Context, _ *handlers.Task[leaf]) error {
			<-ctx.Done()
			return ctx.Err()
		})
		l := &line{Store: shared}
		there, here := managerOn(t, l, sleeps), managerOn(t, shared, sleeps)
		work(t, there, syncjob.WorkerConfig{Name: "cut off", Version: "v1", Concurrency: 2, Grace: syncjob.NoGrace})
		started := time.Now()
		_, err := here.Start(t.Context(), syncjob.Job{Name: "a", Set: "tree", Root: leaf{}}, nil)
		require.NoError(t, err)
		synctest.Wait()
		stop := work(t, here, syncjob.WorkerConfig{Name: "in order", Version: "v2", Concurrency: 2, Grace: syncjob.NoGrace})
		time.Sleep(time.Minute)
		workers, err := here.Workers(t.Context())
		require.NoError(t, err)
		require.Len(t, workers, 2)
		require.Equal(t, []string{"v1", "v2"}, []string{workers[0].Version, workers[1].Version})
		require.Equal(t, []string{"tree/leaf", "tree/node"}, workers[0].Kinds)
		require.Empty(t, lostWorkers(t, here))

		l.cut.Store(true)
		cut := time.Now()
		time.Sleep(time.Minute)
		lost := lostWorkers(t, here)
		require.Len(t, lost, 1, "three sessions are one worker")
		w := lost[0]
		require.Equal(t, "cut off v1", w.Name+" "+w.Version)
		require.Equal(t, workers[0].PID, w.PID)
		require.Equal(t, workers[0].Host, w.Host)
		require.Equal(t, 2, w.Concurrency)
		require.WithinDuration(t, started, w.Started, time.Second)
		require.Equal(t, 1, w.Held)
		require.False(t, w.Heard.After(cut))
		require.WithinDuration(t, cut, w.Heard, syncjob.DefaultLease/2)
		silence := w.Ended.Sub(w.Heard)
		require.GreaterOrEqual(t, silence, syncjob.DefaultLease)
		require.Equal(t, "was not heard from for "+silence.Round(time.Millisecond).String(), w.Reason)
		require.False(t, w.Back)

		l.cut.Store(false)
		time.Sleep(time.Minute)
		lost = lostWorkers(t, here)
		require.Len(t, lost, 1)
		require.True(t, lost[0].Back, "it was only cut off")

		require.NoError(t, stop())
		time.Sleep(time.Minute)
		require.Len(t, lostWorkers(t, here), 1, "a worker that leaves in order is not lost")
		text, err := json.Marshal(lost[0])
		require.NoError(t, err)
		for _, name := range []string{"name", "host", "pid", "version", "started", "heard", "ended", "held", "reason", "back"} {
			require.Contains(t, string(text), `"`+name+`":`)
		}
		time.Sleep(24 * time.Hour)
		require.Empty(t, lostWorkers(t, here))
	})
}

// A dead worker is not back because the sessions that it had elsewhere are still to be ended.
func TestAWorkerThatOnePartitionHasLostIsNotBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := memstore.New(&memstore.Options{Partitions: 2})
		info := store.WorkerInfo{Name: "w", Started: time.Now()}
		for p, lease := range []time.Duration{time.Second, time.Hour} {
			require.NoError(t, s.OpenSession(t.Context(), store.SessionID{Partition: p, ID: "s"}, info, lease))
		}
		sweep := func() {
			_, err := s.Sweep(t.Context(), 0)
			require.NoError(t, err)
		}
		sweep()
		time.Sleep(2 * time.Second)
		sweep()
		lost := lostWorkers(t, managerOn(t, s, nil))
		require.Len(t, lost, 1)
		require.False(t, lost[0].Back)
	})
}

// unaware does not know in partition 1 which sessions were lost.
type unaware struct{ store.Store }

func (f unaware) LostSessions(ctx context.Context, partition int) ([]store.LostSession, error) {
	if partition == 1 {
		return nil, errors.New("it is down")
	}
	return []store.LostSession{{Worker: store.WorkerInfo{Name: "w"}, Ended: time.Now()}}, nil
}

func TestLostWorkersNamesThePartitionsThatDoNotAnswer(t *testing.T) {
	m := managerOn(t, unaware{memstore.New(&memstore.Options{Partitions: 3})}, nil)
	lost, err := m.LostWorkers(t.Context())
	require.ErrorContains(t, err, "partition 1: ")
	require.NotContains(t, err.Error(), "partition 0")
	require.NotContains(t, err.Error(), "partition 2")
	require.Len(t, lost, 1, "the others are listed")
	require.Equal(t, "was not heard from in time", lost[0].Reason, "nobody knows since when")
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err = m.LostWorkers(ctx)
	require.ErrorIs(t, err, context.Canceled)
}

func TestAWorkerSaysWhichVersionOfTheProgramItIs(t *testing.T) {
	revision := debug.BuildSetting{Key: "vcs.revision", Value: "abc"}
	dirty := debug.BuildSetting{Key: "vcs.modified", Value: "true"}
	for want, info := range map[string]debug.BuildInfo{
		"v1.2.3":    {Main: debug.Module{Version: "v1.2.3"}, Settings: []debug.BuildSetting{revision, dirty}},
		"abc":       {Main: debug.Module{Version: "(devel)"}, Settings: []debug.BuildSetting{revision}},
		"abc+dirty": {Settings: []debug.BuildSetting{dirty, revision}},
		"":          {Main: debug.Module{Version: "(devel)"}, Settings: []debug.BuildSetting{dirty}},
	} {
		require.Equal(t, want, syncjob.VersionOf(&info))
	}
	require.Empty(t, syncjob.VersionOf(&debug.BuildInfo{Main: debug.Module{Version: strings.Repeat("v", 129)}}))
}
