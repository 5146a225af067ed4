package syncjob_test

import (
	"context"
	"log/slog"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/rollcall-go/rollcall/enqueue"
	"github.com/rollcall-go/rollcall/handlers"
	"github.com/rollcall-go/rollcall/store/memstore"
	"github.com/rollcall-go/rollcall/syncjob"
	"github.com/rollcall-go/rollcall/syncjob/events"
	"github.com/rollcall-go/rollcall/syncjob/states"
)

// dozeArgs are of a task that ignores its context.
type dozeArgs struct{ For time.Duration }

func (dozeArgs) Kind() string { return "doze" }

func TestAHandlerThatIgnoresItsTimeoutIsReportedOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		set := handlers.NewSet("doze", handlers.SetConfig{
			Attributes: handlers.Attributes{Timeout: time.Second},
			Hooks: handlers.Hooks{PreJob: func(_ context.Context, r *handlers.Run) error {
				if r.Job == "hook" {
					time.Sleep(time.Minute)
				}
				return nil
			}},
		})
		handlers.Handle(set, func(_ context.Context, task *handlers.Task[dozeArgs]) error {
			time.Sleep(task.Args.For)
			return nil
		}, nil)
		reg, err := handlers.NewRegistry(set)
		require.NoError(t, err)
		log := newRecorded()
		m, err := syncjob.New(memstore.New(nil), syncjob.Config{Registry: reg, Logger: slog.New(log)})
		require.NoError(t, err)
		t.Cleanup(func() { require.NoError(t, m.Close()) })
		work(t, m, syncjob.WorkerConfig{Concurrency: 1}) // the one slot serves all
		reports := func(job string, takes, timeout time.Duration) (texts []string) {
			run, err := m.Start(t.Context(), syncjob.Job{Name: job, Set: "doze", Open: true}, nil)
			require.NoError(t, err)
			_, err = run.Enqueue(t.Context(), dozeArgs{takes}, &enqueue.Options{ID: "a", Timeout: timeout})
			require.NoError(t, err)
			require.NoError(t, run.Seal(t.Context()))
			final, err := run.Wait(t.Context())
			require.NoError(t, err)
			require.Equal(t, states.Succeeded, final.Status, "success stands")
			synctest.Wait()
			for _, r := range log.list {
				if r.message == events.HandlerStuck && strings.HasPrefix(r.text, "job="+job+" ") {
					texts = append(texts, r.text)
				}
			}
			return texts
		}
		late := reports("late", time.Minute, 0)
		require.Len(t, late, 1)
		require.Regexp(t, `^job=late run=\d+ task=a kind=doze cause=attempt timed out $`, late[0])
		require.Empty(t, reports("timeless", time.Minute, enqueue.NoTimeout), "what the slot ran before is over")
		require.Empty(t, reports("generous", time.Minute, 55*time.Second), "it returned soon after")
		hook := reports("hook", 0, 0)
		require.Len(t, hook, 1)
		require.Contains(t, hook[0], "cause=attempt timed out ")
	})
}
