package syncjob_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/rollcall-go/rollcall/handlers"
	"github.com/rollcall-go/rollcall/store/memstore"
	"github.com/rollcall-go/rollcall/syncjob"
	"github.com/rollcall-go/rollcall/syncjob/states"
)

// total sums up the points of series.
func total(all []states.ActivitySeries) (sum states.ActivityPoint) {
	for _, s := range all {
		for _, p := range s.Points {
			sum.Enqueued += p.Enqueued
			sum.Ended += p.Ended
			sum.Succeeded += p.Succeeded
			sum.Failed += p.Failed
			sum.Retried += p.Retried
			sum.Wait, sum.Run = sum.Wait.Plus(p.Wait), sum.Run.Plus(p.Run)
		}
	}
	return sum
}

func TestActivityTellsWhatWasDoneInEachInterval(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := managerOn(t, memstore.New(&memstore.Options{Partitions: 3}), set(t, handlers.SetConfig{
			Attributes: handlers.Attributes{MaxRetries: 1},
		}, func(_ context.Context, task *handlers.Task[leaf]) error {
			if task.Args.I == 1 {
				return errors.New("no leaf")
			}
			return nil
		}))
		work(t, m, syncjob.WorkerConfig{})
		began := time.Now()
		start := func(name string, n int) {
			run, err := m.Start(t.Context(), syncjob.Job{Name: name, Set: "tree", Root: node{N: n}}, nil)
			require.NoError(t, err)
			_, err = run.Wait(t.Context())
			require.NoError(t, err)
		}
		at := func(after time.Duration) { time.Sleep(after + 20*time.Second - time.Since(began)) }
		at(1 * time.Minute)
		start("a", 4)
		start("b", 4)
		at(5 * time.Minute)
		start("a", 1)
		at(9 * time.Minute)
		all, err := m.Activity(t.Context(), &syncjob.ActivityOptions{From: began})
		require.NoError(t, err)
		require.Len(t, all, 2)
		require.Equal(t, "default tree leaf", fmt.Sprint(all[0].Queue, " ", all[0].Set, " ", all[0].Kind))
		require.Len(t, all[0].Points, 9)
		for i, p := range all[0].Points {
			want := states.ActivityPoint{At: began.Add(time.Duration(i) * time.Minute).UTC()}
			switch i {
			case 1:
				want.Enqueued, want.Ended, want.Succeeded, want.Failed, want.Retried = 8, 10, 6, 2, 2
			case 5:
				want.Enqueued, want.Ended, want.Succeeded = 1, 1, 1
			}
			require.Equal(t, want.Ended, p.Wait.Count(), "each attempt is in both histograms")
			require.Equal(t, want.Ended, p.Run.Count())
			require.Less(t, p.Wait.Quantile(1)+p.Run.Quantile(1), 2*time.Second)
			p.Wait, p.Run = nil, nil
			require.Equal(t, want, p)
		}
		nodes, err := m.Activity(
			t.Context(),
			&syncjob.ActivityOptions{From: began, Kind: "node", Step: 3 * time.Minute},
		)
		require.NoError(t, err)
		require.Len(t, nodes, 1)
		require.Len(t, nodes[0].Points, 3)
		require.EqualValues(t, 2, nodes[0].Points[0].Succeeded)
		require.EqualValues(t, 1, nodes[0].Points[1].Succeeded)

		// After a day, there are points of hours only, and they add up to the same.
		time.Sleep(24 * time.Hour)
		again, err := m.Activity(t.Context(), &syncjob.ActivityOptions{From: began})
		require.NoError(t, err)
		require.Len(t, again[0].Points, 24)
		require.Equal(t, total(all), total(again))
		require.EqualValues(t, 9, again[0].Points[0].Enqueued, "all in the first hour: %v", again[0].Points)
		none, err := m.Activity(t.Context(), nil)
		require.NoError(t, err)
		require.Empty(t, none)
	})
}

func TestActivityRefusesBadOptions(t *testing.T) {
	m := manager(t, nil)
	now := time.Now()
	for field, o := range map[string]syncjob.ActivityOptions{
		"Step ": {Step: time.Second}, "Step": {Step: -time.Minute}, "Step  ": {From: now.Add(-9 * time.Hour), Step: time.Minute},
		"To": {From: now, To: now.Add(-time.Hour)}, "Step   ": {From: now.Add(-30 * 365 * 24 * time.Hour), Step: time.Hour},
	} {
		_, err := m.Activity(t.Context(), &o)
		var bad *syncjob.FieldError
		require.ErrorAs(t, err, &bad)
		require.Contains(t, field, bad.Field)
	}
}
