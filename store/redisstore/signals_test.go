package redisstore_test

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/rollcall-go/rollcall/internal/lifecycle"
	"github.com/rollcall-go/rollcall/store"
	"github.com/rollcall-go/rollcall/store/signals"
	"github.com/rollcall-go/rollcall/store/statuses"
	"github.com/rollcall-go/rollcall/store/verdicts"
)

func TestSubscribingWhileSignalsPourInHoldsUpNothing(t *testing.T) {
	s := newScene(t)
	group := lifecycle.New(t.Context())
	defer group.Stop(context.Canceled)
	listen := func(ctx context.Context) (first <-chan struct{}) {
		heard := make(chan struct{}, 1)
		group.Go(func(context.Context) {
			_ = s.Subscribe(ctx, func(sig store.Signal) {
				if sig.Type == signals.Sync {
					select {
					case heard <- struct{}{}:
					default:
					}
				}
			})
		})
		return heard
	}
	<-listen(group.Context()) // so that signals come in while the others subscribe
	for range 4 {
		group.Go(func(ctx context.Context) {
			for ctx.Err() == nil {
				_ = s.server.Client.Do(ctx, s.server.Client.B().Publish().Channel("{"+s.namespace+":0}:signals").Message("w:q").Build()).
					Error()
			}
		})
	}
	for range 300 {
		ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
		select {
		case <-listen(ctx):
		case <-ctx.Done():
			require.Fail(t, "a subscription is never confirmed")
		}
		require.NoError(t, s.Ping(ctx))
		cancel()
	}
}

// TestASubscriberThatBlocksHoldsUpNobody has one of two subscribers block at its first signal: the
// other one hears of all that follows, and the first of that, by SignalSync, once it has returned.
func TestASubscriberThatBlocksHoldsUpNobody(t *testing.T) {
	s := newScene(t)
	group := lifecycle.New(t.Context())
	defer group.Stop(context.Canceled)
	blocked, release, synced := make(chan struct{}), make(chan struct{}), make(chan struct{})
	group.Go(func(ctx context.Context) {
		calls := 0
		_ = s.Subscribe(ctx, func(sig store.Signal) {
			switch calls++; {
			case calls == 1:
				close(blocked)
				<-release
			case calls == 2 && sig.Type == signals.Sync:
				close(synced)
			}
		})
	})
	<-blocked
	heard := make(chan store.Signal, 100)
	group.Go(func(ctx context.Context) {
		_ = s.Subscribe(ctx, func(sig store.Signal) { heard <- sig })
	})
	require.Equal(t, signals.Sync, (<-heard).Type)
	for range 10 {
		require.NoError(t, s.server.Client.Do(t.Context(), s.server.Client.B().Publish().Channel("{"+s.namespace+":0}:signals").
			Message("w:q").Build()).Error())
		require.Equal(t, signals.Work, (<-heard).Type)
	}
	close(release)
	<-synced
}

// listen subscribes until the test ends, and returns, once it listens, what waits until a signal is
// heard.
func (s *scene) listen() (heard func(store.Signal)) {
	s.Helper()
	came := make(chan store.Signal, 1000)
	group := lifecycle.New(s.Context())
	s.Cleanup(func() { group.Stop(context.Canceled) })
	group.Go(func(ctx context.Context) {
		_ = s.Subscribe(ctx, func(sig store.Signal) { came <- sig })
	})
	heard = func(want store.Signal) {
		s.Helper()
		for late := time.After(20 * time.Second); ; {
			select {
			case sig := <-came:
				if sig == want {
					return
				}
			case <-late:
				require.Fail(s, "nothing was heard", "of %+v", want)
			}
		}
	}
	heard(store.Signal{Type: signals.Sync})
	return heard
}

// TestARepairSignalsARunThatGoesOnToItsHook has a run that is held by nobody but a lost record: no
// count of it moves.
func TestARepairSignalsARunThatGoesOnToItsHook(t *testing.T) {
	s := newScene(t)
	post := itemOf(store.KindPostJob, "hook")
	run := s.begin(store.StartParams{Job: "job", PostJob: &post})
	s.command("DEL", "holds:"+RunID(run))
	s.command("HSET", "run:"+RunID(run), "holds", "0")
	heard := s.listen()
	_, err := s.Repair(t.Context(), store.RepairParams{Job: "job"})
	require.NoError(t, err)
	require.Equal(t, statuses.Finishing, s.record(run).Status)
	heard(store.Signal{Type: signals.Run, Run: run.Number})
}

// TestARepairSignalsWhatCanGoOn has damages that keep a run, or a job, from going on: who repairs
// them wakes who can run it.
func TestARepairSignalsWhatCanGoOn(t *testing.T) {
	work, due := store.Signal{Type: signals.Work, Queue: "q"}, store.Signal{Type: signals.Due}
	again := map[string]store.Signal{
		"a lane is not in its ring":             work,
		"a lane stands aside for nothing":       work,
		"the post-job hook is gone":             work,
		"a lane is not due":                     due,
		"an idle run would not be sealed":       due,
		"the periodic job would not fire":       due,
		"running is too low":                    {Type: signals.Run},
		"the marker of staged children is gone": work,
	}
	for _, d := range damages {
		want, ok := again[d.name]
		if !ok {
			continue
		}
		delete(again, d.name)
		t.Run(d.name, func(t *testing.T) {
			p := newPatient(newScene(t), "job", d.begin)
			d.hit(p)
			if want.Type == signals.Run {
				want.Run = p.run.Number
			}
			heard := p.listen()
			require.NotEmpty(t, p.repair(store.RepairParams{}))
			heard(want)
		})
	}
	require.Empty(t, again, "damages of other names")
}

// TestDeclaringAJobThatWouldNotFireSignalsIt declares a job as it is, whose due time a person
// removed.
func TestDeclaringAJobThatWouldNotFireSignalsIt(t *testing.T) {
	p := newPatient(newScene(t), "job", periodicBegin)
	hit("ZREM", "due", "j:JOB")(p)
	heard := p.listen()
	result, err := p.EnsureJob(t.Context(), store.EnsureParams{
		Job: "job", Type: statuses.JobPeriodic, Definition: []byte("{}"), Revision: 1, Schedule: []byte("{}"),
	})
	require.NoError(t, err)
	require.Equal(t, verdicts.EnsureUnchanged, result)
	heard(store.Signal{Type: signals.Due})
}

// TestARepairThatFailsTheLastTaskSignalsTheEnd has a run whose only task cannot be read.
func TestARepairThatFailsTheLastTaskSignalsTheEnd(t *testing.T) {
	s := newScene(t)
	root := itemOf("k", "root")
	run := s.begin(store.StartParams{Job: "job", Root: &root})
	s.command("LSET", "W:"+RunID(run)+"/q/set/k", "0", "garbage")
	heard := s.listen()
	_, err := s.Repair(t.Context(), store.RepairParams{Job: "job"})
	require.NoError(t, err)
	require.Equal(t, statuses.Failed, s.record(run).Status)
	heard(store.Signal{Type: signals.Run, Run: run.Number})
}
