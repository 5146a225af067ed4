package memstore_test

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/rollcall-go/rollcall/store"
	"github.com/rollcall-go/rollcall/store/signals"
	"github.com/rollcall-go/rollcall/store/statuses"
	"github.com/rollcall-go/rollcall/store/verdicts"
)

// listen subscribes until the returned function is called, which gives back
// what was heard since the last call of heard.
func listen(t *testing.T, k *kit) (heard func() []store.Signal) {
	t.Helper()
	var came []store.Signal
	ctx, cancel := context.WithCancel(k.ctx)
	done := make(chan error)
	go func() {
		done <- k.Subscribe(ctx, func(s store.Signal) { came = append(came, s) })
	}()
	t.Cleanup(func() {
		cancel()
		require.NoError(t, <-done)
	})
	return func() []store.Signal {
		synctest.Wait() // the subscriber sleeps: what was to be heard is heard
		got := came
		came = nil
		return got
	}
}

func TestSubscribersHearThatTheyListenAndWhatMoves(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		k := newKit(t, nil)
		heard := listen(t, k)
		require.Equal(t, []store.Signal{{Type: signals.Sync}}, heard())

		run := k.start(store.StartParams{Open: true})
		moved := store.Signal{Type: signals.Run, Run: run.Number}
		work := store.Signal{Type: signals.Work, Queue: "path"}
		due := store.Signal{Type: signals.Due}
		begun := store.Signal{Type: signals.Job, Job: run.Job}
		require.ElementsMatch(t, []store.Signal{moved, begun}, heard())

		k.add(run, tasks(3)...)
		require.ElementsMatch(t, []store.Signal{work, moved}, heard())
		k.add(run, task("more"))
		require.Equal(t, []store.Signal{moved}, heard(), "the lane had work already")
		w := k.worker()
		require.Equal(t, []store.Signal{{Type: signals.Workers}}, heard())
		ds := w.fetch(10)
		require.Equal(t, []store.Signal{moved}, heard())
		w.settleAll(ds[1:], verdicts.Success)
		require.Equal(t, []store.Signal{moved}, heard())
		w.settle(with(ds[0], verdicts.Retry))
		require.ElementsMatch(t, []store.Signal{work, moved}, heard())

		k.add(run, delayed("d", time.Minute))
		require.ElementsMatch(t, []store.Signal{due, moved}, heard())
		k.add(run, delayed("e", time.Hour))
		require.Equal(t, []store.Signal{moved}, heard(), "a later one moves nothing forward")
		k.stop(run)
		require.Equal(t, []store.Signal{moved}, heard())
	})
}

func TestASlowSubscriberNeverBlocksTheStore(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		k := newKit(t, nil)
		ctx, cancel := context.WithCancel(k.ctx)
		release := make(chan struct{})
		done := make(chan error)
		var came []store.Signal
		go func() {
			done <- k.Subscribe(ctx, func(s store.Signal) {
				<-release
				came = append(came, s)
			})
		}()
		synctest.Wait()
		for i := range 5000 {
			k.start(store.StartParams{Job: string(rune('a'+i%26)) + time.Duration(i).String(), Open: true})
		}
		close(release)
		synctest.Wait()
		require.Less(t, len(came), 1100)
		require.Contains(t, came[1:], store.Signal{Type: signals.Sync}, "what was dropped is made up for")
		cancel()
		require.NoError(t, <-done)
	})
}

func TestClosingTheStoreEndsSubscriptions(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		k := newKit(t, nil)
		done := make(chan error)
		go func() { done <- k.Subscribe(k.ctx, func(store.Signal) {}) }()
		synctest.Wait()
		require.NoError(t, k.Close())
		require.ErrorIs(t, <-done, store.ErrClosed)
	})
}

func TestASubscriberMayCallTheStore(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		k := newKit(t, nil)
		ctx, cancel := context.WithCancel(k.ctx)
		var numbers []int64
		done := make(chan error)
		go func() {
			done <- k.Subscribe(ctx, func(store.Signal) { numbers, _ = k.JobRuns(ctx, "import") })
		}()
		run := k.start(store.StartParams{Open: true})
		synctest.Wait()
		require.Equal(t, []int64{run.Number}, numbers)
		cancel()
		require.NoError(t, <-done)
	})
}

// When the clock was put back and the job was enabled again, it is due once more at a time that has
// begun a run. It must not be due at that time for ever.
func TestADueTimeThatComesAgainGivesWayToTheNextAndIsSignalled(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		k := newKit(t, nil)
		_, err := k.EnsureJob(k.ctx, store.EnsureParams{
			Job: "nightly", Type: statuses.JobPeriodic, Definition: []byte("1"), Schedule: []byte("1"), DueNow: true,
		})
		require.NoError(t, err)
		rec, err := k.Job(k.ctx, "nightly")
		require.NoError(t, err)
		due := rec.Due
		start := complete(store.StartParams{Job: "nightly", Open: true, Declared: true})
		start.Token = ""
		fire := func(at, next time.Time) store.FireReply {
			rec, err := k.Job(k.ctx, "nightly")
			require.NoError(t, err)
			reply, err := k.FireRun(k.ctx, store.FireParams{Start: start, Due: at, Changes: rec.Changes, Next: []time.Time{next}})
			require.NoError(t, err)
			return reply
		}
		first := fire(due, due.Add(time.Hour))
		require.Equal(t, verdicts.FireStarted, first.Verdict)

		k.inside.SetClock(func() time.Time { return time.Now().Add(-time.Hour) })
		require.NoError(t, k.SetJobDisabled(k.ctx, "nightly", true))
		require.NoError(t, k.SetJobDisabled(k.ctx, "nightly", false))
		require.Equal(t, verdicts.FireMoved, fire(time.Time{}, due).Verdict, "it is due at the same time again")
		k.inside.SetClock(time.Now)
		told, err := k.Promote(k.ctx, 0)
		require.NoError(t, err)
		require.Equal(t, []string{"nightly"}, told.Jobs)

		heard := listen(t, k)
		require.Len(t, heard(), 1)
		again := fire(due, due.Add(100*time.Millisecond))
		require.Equal(t, verdicts.FireStarted, again.Verdict)
		require.Equal(t, first.Run, again.Run)
		rec, err = k.Job(k.ctx, "nightly")
		require.NoError(t, err)
		require.True(t, rec.Due.Equal(due.Add(100*time.Millisecond)))
		require.Equal(t, []store.Signal{{Type: signals.Job, Job: "nightly"}, {Type: signals.Due}}, heard())
	})
}
