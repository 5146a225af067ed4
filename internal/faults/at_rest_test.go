package faults

import (
	"fmt"
	"strings"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/rollcall-go/rollcall/internal/redistest"
	"github.com/rollcall-go/rollcall/store"
	"github.com/rollcall-go/rollcall/store/redisstore"
	"github.com/rollcall-go/rollcall/syncjob/states"
)

// settled is what counts of runs say that the ledger of a partition must have counted.
type settled struct{ Enqueued, Succeeded, Failed, Retried int64 }

func (s *settled) add(o settled) {
	s.Enqueued += o.Enqueued
	s.Succeeded += o.Succeeded
	s.Failed += o.Failed
	s.Retried += o.Retried
}

// counted is what a run says. Rows compare its counts with what their users and handlers did.
func counted(r *states.Run) settled {
	return settled{r.Counts.Total, r.Counts.Succeeded, r.Counts.Failed, r.Retried}
}

// books is what a world knows of its ledger beside the runs that are there.
type books struct {
	past     map[int]settled // by partition: of runs that are gone
	redone   map[int]settled // by partition: of failures that were retried or discarded at the desk
	partial  bool            // a shard is down: what is there is compared when it is back
	subjects []*subject
	others   int64 // attempts that ended otherwise at the desk
	perhaps  int64 // so many more may have
	calm     bool  // no worker lost a task: what they count as other attempts are snoozes
	lost     bool  // some did
}

// carry adds to what is past in the partition of a job.
func (w *world) carry(job string, s settled) { w.carryTo(&w.past, job, s) }

func (w *world) carryTo(all *map[int]settled, job string, s settled) {
	if *all == nil {
		*all = make(map[int]settled)
	}
	p := store.PartitionOf(job, w.oracle.Store().Partitions())
	sum := (*all)[p]
	sum.add(s)
	(*all)[p] = sum
}

// requireBalanced requires of a world at rest that in each partition the ledger has what the
// listings of all runs have, and has counted what their counts say; and that its history adds up to
// the same.
func (w *world) requireBalanced() {
	w.t.Helper()
	if w.partial {
		return
	}
	ctx, s := w.t.Context(), w.oracle.Store()
	listed := make(map[int]map[store.Route]states.Figures)
	want := make(map[int]settled)
	for p := range s.Partitions() {
		listed[p], want[p] = make(map[store.Route]states.Figures), w.past[p]
		if sum := want[p]; !w.lossy {
			sum.add(w.redone[p])
			want[p] = sum
		}
	}
	for run, err := range w.oracle.Runs(ctx, nil) {
		require.NoError(w.t, err)
		p := store.PartitionOf(run.Job, s.Partitions())
		sum := want[p]
		sum.add(w.known(run.Set, counted(&run)))
		want[p] = sum
		for task, err := range w.oracle.Run(run.Job, run.Number).Tasks(ctx, nil) {
			require.NoError(w.t, err)
			count(listed[p], &task)
		}
	}
	other := int64(0)
	for p := range s.Partitions() {
		stats, err := s.QueueStats(ctx, p)
		require.NoError(w.t, err)
		depths := make(map[store.Route]states.Figures)
		var got settled
		var figures store.Figures
		for _, q := range stats {
			d := states.Figures{Waiting: q.Waiting, Held: q.Held, Delayed: q.Delayed, Retrying: q.Retrying, Running: q.Running}
			if d != (states.Figures{}) {
				depths[q.Route] = d
			}
			got.add(w.known(q.Route.Set, settled{q.Enqueued, q.Succeeded, q.Failed, q.Retried}))
			figures.Enqueued += q.Enqueued
			figures.Succeeded += q.Succeeded
			figures.Failed += q.Failed
			figures.Retried += q.Retried
			figures.Other += q.Started - q.Running - q.Succeeded - q.Failed - q.Retried
		}
		require.Equal(w.t, listed[p], depths, "depths of queues in partition %d, and what is listed there", p)
		require.Equal(w.t, want[p], got, "what the runs of partition %d count, and what its ledger does", p)
		other += figures.Other
		if len(stats) > 0 {
			require.Equal(w.t, figures, w.noted(p), "what the ledger of partition %d counts, and the sum of its history", p)
		}
	}
	if other -= w.others; w.calm {
		for _, s := range w.subjects {
			other -= int64(len(s.want.snoozes))
		}
		require.True(w.t, 0 <= other && other <= w.perhaps,
			"%d attempts ended otherwise, beside those that snoozed and those of the desk", other)
	}
}

// known leaves out how often chores failed if nobody can know that.
func (w *world) known(set string, s settled) settled {
	if w.lossy && set == deskSet {
		s.Failed, s.Retried = 0, 0
	}
	return s
}

// count adds a task to the depths of its route.
func count(depths map[store.Route]states.Figures, t *states.Task) {
	r := store.Route{Queue: t.Queue, Set: t.Set, Kind: t.Kind}
	d := depths[r]
	switch t.State {
	case states.TaskHeld:
		d.Held++
	case states.TaskDelayed:
		d.Delayed++
	case states.TaskRetrying:
		d.Retrying++
	case states.TaskRunning:
		d.Running++
	case states.TaskFailed:
		return
	default:
		d.Waiting++
	}
	depths[r] = d
}

// noted has a sweep note the history of a partition now, not at the next minute, and adds it up.
func (w *world) noted(p int) (sum store.Figures) {
	w.t.Helper()
	ctx := w.t.Context()
	series := fmt.Sprintf("{%s:%d}:series", w.namespace, p)
	node := w.owner(series)
	now, err := node.Client.Do(ctx, node.Client.B().Time().Build()).AsIntSlice()
	require.NoError(w.t, err)
	if head, _ := node.Client.Do(ctx, node.Client.B().Hget().Key(series).Field("").Build()).ToString(); head != "" {
		words := strings.Fields(head) // its number, and the minutes of the last points
		require.NoError(w.t, node.Do(ctx, "HSET", series, "", words[0]+" 0 "+words[2]))
	}
	fresh, err := w.fresh(redisstore.Config{Namespace: w.namespace}) // which has noted nothing yet
	require.NoError(w.t, err)
	defer func() { require.NoError(w.t, fresh.Close()) }()
	repeating := store.WithRetry(fresh, nil)
	_, err = repeating.Sweep(ctx, p)
	require.NoError(w.t, err)
	const day = 24 * time.Hour // by which rows move clocks at most
	clock := time.Unix(now[0], 0)
	for from := clock.Add(-day); from.Before(clock.Add(day)); from = from.Add(time.Hour) {
		points, err := repeating.ReadHistory(ctx, store.HistoryParams{Partition: p, From: from, To: from.Add(time.Hour)})
		require.NoError(w.t, err)
		for _, point := range points {
			sum.Enqueued += point.Enqueued
			sum.Succeeded += point.Succeeded
			sum.Failed += point.Failed
			sum.Retried += point.Retried
			sum.Other += point.Other
		}
	}
	return sum
}

// fresh makes a store on the connections of the test to the servers themselves.
func (w *world) fresh(c redisstore.Config) (store.Store, error) {
	if w.cluster != nil {
		return redisstore.New(w.t.Context(), w.cluster.Client, c)
	}
	return redisstore.New(w.t.Context(), w.nodes()[0].Client, c)
}

// owner is the node that has a key.
func (w *world) owner(key string) *redistest.Server {
	w.t.Helper()
	for _, node := range w.nodes() {
		err := node.Client.Do(w.t.Context(), node.Client.B().Exists().Key(key).Build()).Error()
		if err == nil || !strings.HasPrefix(err.Error(), "MOVED") {
			require.NoError(w.t, err)
			return node
		}
	}
	w.t.Fatalf("no node has %s", key)
	return nil
}
