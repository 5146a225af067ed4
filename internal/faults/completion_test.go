package faults

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/rollcall-go/rollcall/syncjob"
	"github.com/rollcall-go/rollcall/syncjob/states"
)

func childFinishesBeforeItsParentSettles(t *testing.T) {
	w := newWorld(t, longLease, nil)
	first, second := w.worker(4), w.worker(4)
	father := node{Path: "father", Leaf: fathers}
	want := node{Path: "father", Fan: []int{fathered}}.grown()
	s := w.begin(syncjob.Job{Name: jobName, Set: "tree", Root: father}, want)
	for state, err := range s.Watch(t.Context()) {
		require.NoError(t, err)
		require.Equal(t, states.Running, state.Status, "its root task still runs")
		if state.Counts.Succeeded == fathered {
			require.EqualValues(t, 1, state.Counts.Running)
			break
		}
	}
	require.Zero(t, times(s.events(), hookBegan))
	w.open()
	s.requireGrown(0)
	first.drain()
	second.drain()
	s.requireNothingLeft()
}

func manyLastTasksAtOnce(t *testing.T) {
	w := newWorld(t, longLease, nil)
	first, second := w.worker(32), w.worker(32)
	s := w.grow(node{Path: "root", Fan: []int{64}, Leaf: waits})
	w.await("all of them in hand", seen(started, 65))
	w.open()
	s.requireGrown(0)
	require.Equal(t, 1, times(s.events(), hookBegan))
	first.drain()
	second.drain()
	s.requireNothingLeft()
}
