package faults

import (
	"context"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/rollcall-go/rollcall/handlers"
	"github.com/rollcall-go/rollcall/syncjob"
	"github.com/rollcall-go/rollcall/syncjob/schedule"
	"github.com/rollcall-go/rollcall/syncjob/states"
)

const (
	roleTicker = "ticker"
	tickers    = 5
	dueTimes   = 200
	dueEvery   = 50 * time.Millisecond
)

// beat is the root task of a periodic job.
type beat struct{}

func (beat) Kind() string { return "beat" }

// tick is a worker, and so one of many that fire.
func tick(ctx context.Context, o order, l *ledger) error {
	registry, err := beats(l)
	if err != nil {
		return err
	}
	return workWith(ctx, o, l, registry)
}

// beats has runs that last for up to one and a half intervals, so that some are active when the
// next is due.
func beats(l *ledger) (*handlers.Registry, error) {
	s := handlers.NewSet("beats", handlers.SetConfig{
		Attributes: handlers.Attributes{MaxDeliveries: 5},
		Hooks: handlers.Hooks{PreJob: func(_ context.Context, r *handlers.Run) error {
			return l.note(event{What: hookBegan, Run: r.Number, Path: r.Job, Text: r.Due.UTC().Format(time.RFC3339Nano)})
		}},
	})
	handlers.Handle(s, func(ctx context.Context, t *handlers.Task[beat]) error {
		select {
		case <-time.After(rand.N(3 * dueEvery / 2)):
			return nil
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}, nil)
	return handlers.NewRegistry(s)
}

// schedulersKilledAndPaused has five processes fire two jobs of different policies, kills one and
// pauses another for a while. Each due time began at most one run, and those that began none were
// left out for a reason.
func schedulersKilledAndPaused(t *testing.T) {
	_, draw := seed(t)
	w := newWorld(t, shortLease, nil)
	// Whoever declares a job of a set that it does not know has to expect a post-job hook, until which
	// runs are active.
	registry, err := beats(nil)
	require.NoError(t, err)
	m, err := syncjob.New(w.oracle.Store(), syncjob.Config{Registry: registry})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, m.Close()) })
	crew := make([]*process, tickers)
	for i := range crew {
		crew[i] = w.enlist(order{Role: roleTicker, Concurrency: 2})
	}
	draw.Shuffle(tickers, func(i, k int) { crew[i], crew[k] = crew[k], crew[i] })
	victim, zombie, others := crew[0], crew[1], crew[2:]

	policies := []schedule.Overlap{schedule.OverlapSkip, schedule.OverlapQueueOne}
	for _, overlap := range policies {
		_, err := m.Ensure(t.Context(), syncjob.Job{
			Name: string(overlap), Set: "beats", Root: beat{},
			Schedule: &schedule.Schedule{Every: dueEvery, Overlap: overlap, FireOnCreate: true},
		})
		require.NoError(t, err)
	}
	begun := func(n int) { w.await("more runs", func(events []event) bool { return len(runsIn(events)) >= n }) }
	begun(20 + draw.IntN(40))
	victim.kill()
	begun(len(runsIn(w.all())) + draw.IntN(30))
	zombie.pause()
	w.await("others at work meanwhile", seen(hookBegan, times(w.all(), hookBegan)+60+draw.IntN(40)))
	zombie.resume()
	w.await("the last due time of both", func(events []event) bool {
		for _, overlap := range policies {
			due := duesIn(events, string(overlap))
			if len(due) == 0 || due[len(due)-1].Before(due[0].Add(dueTimes*dueEvery)) {
				return false
			}
		}
		return true
	})
	for _, overlap := range policies {
		require.NoError(t, m.Stop(t.Context(), string(overlap), nil))
		w.requireEachDueOnce(m, overlap)
	}
	for _, p := range append(others, zombie) {
		p.drain()
	}
	w.requireBalanced()
}

// requireEachDueOnce accounts for every due time of a stopped job, and prints the tally.
func (w *world) requireEachDueOnce(m *syncjob.Manager, overlap schedule.Overlap) {
	w.t.Helper()
	t, job := w.t, string(overlap)
	handles, err := m.JobRuns(t.Context(), job)
	require.NoError(t, err)
	slices.Reverse(handles)
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	runs := make([]states.Run, len(handles))
	by := make(map[time.Time]int64, len(handles))
	for i, h := range handles {
		s, err := h.Wait(ctx)
		require.NoError(t, err)
		require.Zero(t, by[s.Due.UTC()], "two runs have the due time %v", s.Due)
		by[s.Due.UTC()] = s.Number
		require.False(t, s.Created.Before(s.Due), "run %d began before its time", s.Number)
		if i > 0 {
			require.False(t, s.Created.Before(runs[i-1].Ended), "run %d began before the end of the last", s.Number)
		}
		runs[i] = s
	}
	for _, e := range about(w.all(), hookBegan, job) {
		due, err := time.Parse(time.RFC3339Nano, e.Text)
		require.NoError(t, err)
		require.Equal(t, by[due.UTC()], e.Run, "a hook was told of another due time than its run's, or ran for none")
	}

	first := runs[0].Due.UTC()
	began, active, made := 0, 0, 0
	for i := range dueTimes {
		due := first.Add(time.Duration(i) * dueEvery)
		if by[due] != 0 {
			began++
			continue
		}
		// The newest run that was due before: either it began only after this time too, and makes up for
		// it, or it was active still.
		at, _ := slices.BinarySearchFunc(runs, due, func(s states.Run, due time.Time) int { return s.Due.Compare(due) })
		last := runs[at-1]
		switch {
		case !due.After(last.Created):
			made++
		case overlap == schedule.OverlapSkip && !due.After(last.Ended):
			active++
		default:
			t.Errorf("%s: due time %d at %v is missing: the last run was due at %v, began at %v and ended at %v",
				job, i, due, last.Due, last.Created, last.Ended)
		}
	}
	state, err := m.State(t.Context(), job)
	require.NoError(t, err)
	require.True(t, state.Disabled)
	if overlap != schedule.OverlapSkip {
		require.Zero(t, state.Skipped)
	}
	t.Logf(
		"%s: of %d due times %d began one run each, %d were left out since a run was active, for %d a late run made up; none began two, none is missing",
		job, dueTimes, began, active, made,
	)
}

// runsIn are the runs whose hook has begun.
func runsIn(events []event) map[int64]bool {
	set := make(map[int64]bool)
	for _, e := range about(events, hookBegan, "") {
		set[e.Run] = true
	}
	return set
}

// duesIn are the due times of the runs of a job whose hook has begun, in order.
func duesIn(events []event, job string) []time.Time {
	var list []time.Time
	for _, e := range about(events, hookBegan, job) {
		due, _ := time.Parse(time.RFC3339Nano, e.Text)
		list = append(list, due)
	}
	slices.SortFunc(list, time.Time.Compare)
	return list
}
