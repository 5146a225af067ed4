package syncjob_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/rollcall-go/rollcall/enqueue"
	"github.com/rollcall-go/rollcall/handlers"
	"github.com/rollcall-go/rollcall/store/memstore"
	"github.com/rollcall-go/rollcall/syncjob"
	"github.com/rollcall-go/rollcall/syncjob/syncjobtest"
)

// told tells the timeline of a run in short, with the seconds since its start.
func told(t *testing.T, run *syncjob.Run) (all []string) {
	t.Helper()
	entries, err := run.Timeline(t.Context())
	require.NoError(t, err)
	for _, e := range entries {
		text := fmt.Sprintf("%v %s", e.At.Sub(entries[0].At).Round(time.Millisecond), e.What)
		for _, more := range []string{string(e.Status), e.Subject, e.By, e.Reason} {
			if more != "" {
				text += ", " + more
			}
		}
		if e.Run != 0 {
			text += ", another run"
		}
		all = append(all, text)
	}
	return all
}

func TestATimelineTellsWhatNobodyDid(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		take := func(context.Context, *handlers.Run) error { time.Sleep(time.Second); return nil }
		kit := syncjobtest.New(t, set(t, handlers.SetConfig{Hooks: handlers.Hooks{PreJob: take, PostJob: take}},
			func(context.Context, *handlers.Task[leaf]) error {
				time.Sleep(time.Minute)
				return handlers.Permanent(errors.New("no leaf"))
			}), nil)
		run, err := kit.Manager.Start(t.Context(), syncjob.Job{Name: "a", Set: "tree", Root: leaf{}}, nil)
		require.NoError(t, err)
		require.Equal(t, []string{"0s created"}, told(t, run))
		_, err = run.Wait(t.Context())
		require.NoError(t, err)
		require.Equal(t, []string{
			"0s created", "1s hook passed", "1s started", "1m1s tasks ended", "1m2s ended, failed, no leaf",
		}, told(t, run))
	})
}

func TestATimelineTellsWhoDidWhat(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := managerOn(t, memstore.New(nil), set(t, handlers.SetConfig{}, func(ctx context.Context, _ *handlers.Task[leaf]) error {
			<-ctx.Done()
			time.Sleep(2 * time.Second)
			return ctx.Err()
		}))
		work(t, m, syncjob.WorkerConfig{})
		by := func(name string) context.Context {
			time.Sleep(time.Second)
			return syncjob.WithReason(syncjob.WithActor(t.Context(), name), "why not")
		}
		run, err := m.Start(by("ann"), syncjob.Job{Name: "a", Set: "tree", Root: leaf{}}, nil)
		require.NoError(t, err)
		other, err := m.Start(by("eve"), syncjob.Job{Name: "b", Set: "tree", Root: leaf{}}, nil)
		require.NoError(t, err)
		require.NoError(t, run.Pause(by("ben")))
		require.NoError(t, run.Resume(by("ben")))
		require.NoError(t, run.Stop(by("cat"), &syncjob.StopOptions{Graceful: true}))
		require.NoError(t, run.Stop(by("dan"), nil))
		_, err = run.Wait(t.Context())
		require.NoError(t, err)
		require.Equal(t, []string{
			"0s created, ann, why not", "0s started", "2s pause, ben, why not", "3s resume, ben, why not",
			"4s stopping, cat, why not", "5s stop, dan, why not", "7s ended, stopped",
		}, told(t, run))
		require.NoError(t, other.Stop(by("eve"), nil))
		_, err = other.Wait(t.Context())
		require.NoError(t, err)
	})
}

func TestATimelineTellsWhatEndedARunBeforeTheEnd(t *testing.T) {
	acts := map[string]func(ctx context.Context, run *syncjob.Run) error{
		"accept":  func(ctx context.Context, run *syncjob.Run) error { return run.Accept(ctx) },
		"discard": func(ctx context.Context, run *syncjob.Run) error { _, err := run.Discard(ctx, nil); return err },
		"release, open": func(ctx context.Context, run *syncjob.Run) error {
			if _, err := run.Discard(ctx, nil); err != nil {
				return err
			}
			return run.Seal(ctx)
		},
		"cancel, late": func(ctx context.Context, run *syncjob.Run) error {
			if _, err := run.Enqueue(ctx, leaf{}, &enqueue.Options{ID: "late", Delay: time.Hour}); err != nil {
				return err
			}
			if err := errors.Join(run.Seal(ctx), run.Accept(ctx)); err != nil {
				return err
			}
			_, err := run.Task("late").Cancel(ctx)
			return err
		},
	}
	for last, act := range acts {
		for _, hooked := range []bool{false, true} {
			t.Run(fmt.Sprint(last, hooked), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					var hooks handlers.Hooks
					if hooked {
						hooks.PostJob = func(context.Context, *handlers.Run) error { time.Sleep(time.Second); return nil }
					}
					kit := syncjobtest.New(t, set(t, handlers.SetConfig{Hooks: hooks}, func(context.Context, *handlers.Task[leaf]) error {
						return handlers.Permanent(errors.New("no leaf"))
					}), nil)
					open := last == "release, open" || last == "cancel, late"
					run, err := kit.Manager.Start(t.Context(), syncjob.Job{
						Name: "a", Set: "tree", Root: leaf{}, Open: open, OnFailure: syncjob.OnFailureHold,
					}, nil)
					require.NoError(t, err)
					synctest.Wait()
					time.Sleep(time.Second)
					require.NoError(t, act(syncjob.WithActor(t.Context(), "ann"), run))
					_, err = run.Wait(t.Context())
					require.NoError(t, err)
					all := told(t, run)
					ends := 1
					if hooked {
						require.Equal(t, "1s tasks ended", all[len(all)-2])
						ends = 2
					}
					require.Contains(t, all[len(all)-1], "ended, ")
					require.Equal(t, "1s "+last+", ann", all[len(all)-1-ends], "%v", all)
				})
			})
		}
	}
}

func TestATimelineTellsOfRedrivesAndOfStopsByTasks(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		kit := syncjobtest.New(t, set(t, handlers.SetConfig{}, func(_ context.Context, task *handlers.Task[leaf]) error {
			time.Sleep(time.Second)
			if task.Args.I == 1 {
				return handlers.CancelJob(errors.New("it rains"))
			}
			return handlers.Permanent(errors.New("no leaf"))
		}), nil)
		m := kit.Manager
		run, err := m.Start(t.Context(), syncjob.Job{Name: "a", Set: "tree", Root: leaf{}}, nil)
		require.NoError(t, err)
		_, err = run.Wait(t.Context())
		require.NoError(t, err)
		again, err := run.Redrive(syncjob.WithActor(t.Context(), "ann"), nil)
		require.NoError(t, err)
		_, err = again.Wait(t.Context())
		require.NoError(t, err)
		require.Equal(t, []string{"0s created", "0s started", "1s ended, failed, no leaf", "1s start, ann, another run"}, told(t, run))
		require.Equal(t, fmt.Sprintf("0s created, %d, ann", run.Number()), told(t, again)[0])

		stopped, err := m.Start(t.Context(), syncjob.Job{Name: "b", Set: "tree", Root: leaf{I: 1}}, nil)
		require.NoError(t, err)
		_, err = stopped.Wait(t.Context())
		require.NoError(t, err)
		require.Equal(t, []string{"0s created", "0s started", "1s stopping, it rains", "1s ended, stopped"}, told(t, stopped))
		require.NoError(t, stopped.Delete(t.Context()))
		_, err = stopped.Timeline(t.Context())
		require.ErrorIs(t, err, syncjob.ErrRunNotFound)
	})
}
