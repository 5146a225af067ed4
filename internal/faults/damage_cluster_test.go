package faults

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/rollcall-go/rollcall/store/damage"
	"github.com/rollcall-go/rollcall/syncjob"
	"github.com/rollcall-go/rollcall/syncjob/states"
)

// do runs a command by hand on a key of a job's partition.
func (s *site) do(job, command, key string, args ...string) any {
	s.t.Helper()
	b := s.cluster.Client.B()
	reply, err := s.cluster.Client.Do(s.t.Context(), b.Arbitrary(command).Keys(s.tag(job)+key).Args(args...).Build()).ToAny()
	require.NoError(s.t, err)
	return reply
}

// contents is what each key of the namespace holds, but for the replies that producers may ask for
// again.
func (s *site) contents() map[string][]string {
	s.t.Helper()
	out := make(map[string][]string)
	for _, key := range s.keys() {
		if !strings.Contains(key, "}:P:") {
			out[key] = slices.Sorted(slices.Values(s.members(key)))
		}
	}
	return out
}

// damage overwrites a task of the run that waits, removes another, and takes from the sessions of
// its partition what says that they end.
func (s *site) damage(r *subject) {
	s.t.Helper()
	waiting := fmt.Sprintf("W:%d/default/tree/node", r.Number())
	s.do(r.Job(), "LSET", waiting, "-1", "garbage")
	task := s.do(r.Job(), "LINDEX", waiting, "-2")
	s.do(r.Job(), "LREM", waiting, "-1", task.(string))
	s.do(r.Job(), "DEL", "leases")
}

// repairedOnACluster damages jobs on three masters while nobody is there to sweep, and repairs one
// after the other. Then a master loses all it has.
func repairedOnACluster(t *testing.T) {
	s := newSite(t, shortLease)
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	tree := node{Path: "outside", Fan: []int{40}, Leaf: waits}
	var runs []*subject
	for _, name := range s.jobs(ctx) {
		r := s.begin(syncjob.Job{Name: name, Set: "tree", Open: true}, tree.childrenGrown())
		_, err := r.EnqueueAll(ctx, tree.children(), nil)
		require.NoError(t, err)
		require.NoError(t, r.Seal(ctx))
		r.want.paths[tree.child(38).Path], r.want.paths[tree.child(39).Path] = false, false
		runs = append(runs, r)
	}
	victim := s.worker(6)
	s.await("six in hand", seen(started, 6))
	victim.kill()
	for _, r := range runs {
		s.damage(r)
	}
	for _, r := range runs {
		s.requireRepaired(ctx, r)
	}

	lost, left := runs[2], runs[:2]
	require.NoError(t, s.cluster.Nodes[2].Do(ctx, "FLUSHALL"))
	_, err := s.m.Repair(ctx, lost.Job(), nil)
	require.ErrorIs(t, err, syncjob.ErrJobNotFound)
	_, err = lost.Repair(ctx, nil)
	require.ErrorIs(t, err, syncjob.ErrStateLost)
	_, err = lost.Explain(ctx)
	require.ErrorIs(t, err, syncjob.ErrStateLost)

	worker := s.worker(8)
	s.open()
	for _, r := range left {
		r.requireGrown(2)
		s.carry(r.Job(), settled{Failed: -1}) // of a task that is nowhere nobody knows the kind
		s.requireUndamaged(ctx, r)
	}
	worker.drain()
	for _, r := range left {
		r.requireNothingLeft()
	}
}

// requireRepaired lets Explain and a dry run tell what was damaged of the run, and repairs it.
func (s *site) requireRepaired(ctx context.Context, r *subject) {
	s.t.Helper()
	before := s.contents()
	why, err := r.Explain(ctx)
	require.NoError(s.t, err)
	require.True(s.t, why.Stable)
	require.Contains(
		s.t, why.Disagreements,
		fmt.Sprintf("pending: the counter says %d, the sets hold %d", why.Run.Counts.Pending, why.Run.Counts.Pending-1),
	)
	require.ElementsMatch(s.t, []damage.Type{damage.Session, damage.Counts}, kindsOf(why.Damage), "%v", why.Damage)
	dry, err := s.m.Repair(ctx, r.Job(), &syncjob.RepairOptions{DryRun: true})
	require.NoError(s.t, err)
	require.Equal(s.t, before, s.contents(), "who only looks has changed something")
	found, err := s.m.Repair(ctx, r.Job(), nil)
	require.NoError(s.t, err)
	require.Equal(s.t, []damage.Type{damage.Session, damage.Counts, damage.Task}, kindsOf(found.Damage), "%v", found)
	require.Equal(s.t, found.String(), strings.ReplaceAll(dry.String(), "found ", "mended "))
	s.requireUndamaged(ctx, r)
	why, err = r.Explain(ctx)
	require.NoError(s.t, err)
	require.Empty(s.t, why.Damage)
	require.Empty(s.t, why.Disagreements)
	require.EqualValues(s.t, 2, why.Run.Counts.Failed)
	after := s.contents()
	for key, held := range before {
		if !strings.HasPrefix(key, s.tag(r.Job())) {
			require.Equal(s.t, held, after[key], "key %s of another partition has changed", key)
		}
	}
}

func kindsOf(damage []states.Damage) (kinds []damage.Type) {
	for _, d := range damage {
		kinds = append(kinds, d.Type)
	}
	return kinds
}
