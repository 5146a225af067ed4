package scene

import (
	"time"

	"github.com/stretchr/testify/require"

	"github.com/rollcall-go/rollcall/store"
	"github.com/rollcall-go/rollcall/store/verdicts"
	"github.com/rollcall-go/rollcall/syncjob"
)

// GaveUp starts a run that is held, since its post-job hook gave up. The set has no hook, so a
// session plays the worker that has one.
func (p *Place) GaveUp(job string) *syncjob.Run {
	p.tb.Helper()
	s, ctx := p.M.Store(), p.tb.Context()
	route := store.Route{Queue: "hooks", Set: Set, Kind: store.KindPostJob}
	started, err := s.StartRun(ctx, store.StartParams{
		Job: job, Token: "gave-up", Set: Set, Open: true, PostJob: &store.Item{Route: route, Task: store.Task{ID: "hook"}},
		Weight: 1, Retention: time.Hour, FailureCap: 10, OnFailure: store.OnFailureHold,
	})
	require.NoError(p.tb, err)
	run := p.M.Run(job, started.Run.Number)
	require.NoError(p.tb, run.Seal(ctx))
	id := store.SessionID{Partition: store.PartitionOf(job, s.Partitions()), ID: "hook"}
	require.NoError(p.tb, s.OpenSession(ctx, id, store.WorkerInfo{Name: "w0"}, time.Minute))
	fetched, err := s.Fetch(ctx, store.FetchParams{
		Session: id, Number: 1, Max: 1, Queues: []store.FetchQueue{{Queue: route.Queue, Routes: []store.Route{route}}},
	})
	require.NoError(p.tb, err)
	require.Len(p.tb, fetched.Deliveries, 1)
	_, err = s.Settle(ctx, store.SettleParams{
		Session: id, Number: 1, Answered: store.Answered{Fetched: 1}, Worker: "w0", Outcomes: []store.Outcome{{
			Lease: fetched.Deliveries[0].Lease, Verdict: verdicts.HookDone, Error: "mail server is down",
		}},
	})
	require.NoError(p.tb, err)
	require.NoError(p.tb, s.CloseSession(ctx, id))
	return run
}
