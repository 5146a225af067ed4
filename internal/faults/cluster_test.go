package faults

import (
	"context"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/rollcall-go/rollcall/internal/redistest"
	"github.com/rollcall-go/rollcall/store"
	"github.com/rollcall-go/rollcall/syncjob"
)

// site is a world on a cluster of three masters with a replica each.
type site struct{ *world }

func newSite(t *testing.T, lease time.Duration) *site {
	t.Helper()
	c := redistest.StartReplicatedCluster(t, 3)
	w := newWorldAt(t, lease, c.URL(), func() []*redistest.Server { return c.Masters(t.Context()) })
	w.cluster = c
	return &site{w}
}

// tag is a key in the slot of a job's partition.
func (s *site) tag(job string) string {
	return fmt.Sprintf("{%s:%d}:", s.namespace, store.PartitionOf(job, s.oracle.Store().Partitions()))
}

// jobs names one job for each of the masters, in their order.
func (s *site) jobs(ctx context.Context) []string {
	s.t.Helper()
	names := make([]string, len(s.cluster.Nodes))
	for i, found := 0, 0; found < len(names); i++ {
		name := fmt.Sprintf("the-subject-%c%c", 'a'+i/26, 'a'+i%26)
		owner, err := s.cluster.Owner(ctx, s.tag(name))
		require.NoError(s.t, err)
		for n, node := range s.cluster.Nodes {
			if node == owner && names[n] == "" {
				names[n] = name
				found++
			}
		}
	}
	return names
}

func (s *site) growAll(names []string, root node) []*subject {
	s.t.Helper()
	runs := make([]*subject, 0, len(names))
	for _, name := range names {
		runs = append(runs, s.begin(syncjob.Job{Name: name, Set: "tree", Root: root}, root.grown()))
	}
	return runs
}

func slotsMoveAndShardsDie(t *testing.T) {
	moods, random := seed(t)
	s := newSite(t, longLease)
	ctx, cancel := context.WithTimeout(t.Context(), patience+2*unanswered)
	defer cancel()
	desk := s.atDesk()
	first, second := s.worker(8), s.worker(8)

	// Slots move under load: with the keys of one job back and forth, of the others once.
	names := s.jobs(ctx)
	tree := node{Path: "root", Fan: []int{30, 60}, Moods: moods}
	runs := s.growAll(names, tree)
	for i := range 6 {
		s.await("more of it", seen(started, 300+700*i+random.IntN(500)))
		require.NoError(t, s.cluster.MoveSlot(ctx, s.tag(names[i%2]), s.cluster.Nodes[random.IntN(3)]))
	}
	for _, run := range runs {
		run.requireGrown(0)
		run.requireOneAttemptEach()
	}
	desk.close()
	for _, run := range runs {
		run.requireNothingLeft()
	}

	// A shard dies for good: the others go on, and its job says what it waits for. It is not the one
	// that keeps the configuration of the set, which who comes waits for.
	names = s.jobs(ctx)
	d := 0
	if owner, err := s.cluster.Owner(ctx, s.tag("tree")); owner == s.cluster.Nodes[d] {
		require.NoError(t, err)
		d = 2
	}
	others := slices.Delete(slices.Clone(names), d, d+1)
	dead := s.begin(syncjob.Job{Name: names[d], Set: "tree", Root: node{Path: "root", Fan: []int{8}, Leaf: waits}}, growth{quiet: true})
	s.await("it in hand", startedOf(dead, 9))
	lost := s.partitionsOf(ctx, s.cluster.Nodes[d])
	s.cluster.Replicas[d].Kill()
	s.cluster.Nodes[d].Kill()
	s.partial = true
	for _, run := range s.growAll(others, node{Path: "root", Fan: []int{100}}) {
		run.requireGrown(0)
		run.requireOneAttemptEach()
		s.requireUndamaged(ctx, run)
		run.requireNothingLeft()
	}
	s.requireExplained(ctx, dead)
	s.requirePausedElsewhere(ctx, lost)
	s.requireListedElsewhere(ctx, lost, others)
	first.pause()
	second.pause()
	late := s.worker(8)
	for _, run := range s.growAll(others, node{Path: "root", Fan: []int{10}}) {
		run.requireGrown(0)
	}
	first.resume()
	second.resume()
	s.cluster.Nodes[d].Restart() // with what it had acknowledged
	s.cluster.Replicas[d].Restart()
	require.NoError(t, s.cluster.AwaitOK(ctx))
	s.partial = false
	s.requirePausedEverywhere(ctx, lost)
	s.open()
	require.Equal(t, store.Counts{Total: 9, Succeeded: 9}, dead.finish().Counts)
	dead.requireNothingLeft()

	// A master dies, and its replica takes over.
	runs = s.growAll(names, tree)
	s.await("some of it", startedOf(runs[1], 300+random.IntN(1000)))
	require.NoError(t, s.cluster.Nodes[1].Quiesce(ctx, patience))
	s.cluster.Nodes[1].Kill()
	require.NoError(t, s.cluster.Replicas[1].AwaitMaster(ctx))
	for _, run := range runs {
		run.requireGrown(0)
		run.requireOneAttemptEach()
	}
	first.drain()
	second.drain()
	late.drain()
	for _, run := range runs {
		s.requireUndamaged(ctx, run)
		run.requireNothingLeft()
	}
}

// requireUndamaged requires that a repair finds nothing.
func (s *site) requireUndamaged(ctx context.Context, r *subject) {
	s.t.Helper()
	report, err := s.m.Repair(ctx, r.Job(), nil)
	require.NoError(s.t, err)
	require.True(s.t, report.Sound(), report.String())
}

// partitionsOf lists the partitions that a node has.
func (s *site) partitionsOf(ctx context.Context, node *redistest.Server) (all []int) {
	s.t.Helper()
	for p := range s.oracle.Store().Partitions() {
		owner, err := s.cluster.Owner(ctx, fmt.Sprintf("{%s:%d}:", s.namespace, p))
		require.NoError(s.t, err)
		if owner == node {
			all = append(all, p)
		}
	}
	return all
}

// unanswered is how long a call waits for partitions that do not answer.
const unanswered = 3 * time.Second

var pausedByNobody = syncjob.Scope{Queue: "nobody"}

// requirePausedElsewhere requires that a pause names the partitions that do not answer, and that
// the others have it.
func (s *site) requirePausedElsewhere(ctx context.Context, lost []int) {
	s.t.Helper()
	require.NotEmpty(s.t, lost)
	names := func(err error) (all []int) {
		require.Error(s.t, err)
		for p := range s.oracle.Store().Partitions() {
			if contains(err.Error(), fmt.Sprintf("partition %d:", p)) {
				all = append(all, p)
			}
		}
		return all
	}
	bounded, cancel := context.WithTimeout(ctx, unanswered)
	defer cancel()
	require.Equal(s.t, lost, names(s.m.Pause(bounded, pausedByNobody, "the test")))
	bounded, cancel = context.WithTimeout(ctx, unanswered)
	defer cancel()
	list, err := s.m.Pauses(bounded)
	require.Equal(s.t, lost, names(err))
	require.Len(s.t, list, 1)
	require.Empty(s.t, list[0].Lacked, "those that answer have it")
}

// requirePausedEverywhere requires that it is seen which partitions lack the pause, and that a
// repeat gives it to them.
func (s *site) requirePausedEverywhere(ctx context.Context, lost []int) {
	s.t.Helper()
	list, err := s.m.Pauses(ctx)
	require.NoError(s.t, err)
	require.Len(s.t, list, 1)
	require.Equal(s.t, lost, list[0].Lacked)
	require.NoError(s.t, s.m.Pause(ctx, pausedByNobody, "the test"))
	list, err = s.m.Pauses(ctx)
	require.NoError(s.t, err)
	require.Empty(s.t, list[0].Lacked)
	require.NoError(s.t, s.m.Resume(ctx, pausedByNobody))
}

// requireExplained requires that the run says that its partition is out of reach.
func (s *site) requireExplained(ctx context.Context, dead *subject) {
	s.t.Helper()
	why, err := dead.Explain(ctx)
	require.NoError(s.t, err)
	require.Contains(s.t, why.Unreachable, fmt.Sprintf("partition %d", store.PartitionOf(dead.Job(), s.oracle.Store().Partitions())))
	require.Contains(s.t, why.String(), why.Unreachable)
}
