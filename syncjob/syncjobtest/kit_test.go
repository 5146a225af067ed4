package syncjobtest_test

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/rollcall-go/rollcall/handlers"
	"github.com/rollcall-go/rollcall/syncjob"
	"github.com/rollcall-go/rollcall/syncjob/syncjobtest"
)

type greeting struct{ Name string }

func (greeting) Kind() string { return "greet" }

func registry(t *testing.T, fn func(context.Context, *handlers.Task[greeting]) error) *handlers.Registry {
	t.Helper()
	s := handlers.NewSet("greeter", handlers.SetConfig{})
	handlers.Handle(s, fn, nil)
	reg, err := handlers.NewRegistry(s)
	require.NoError(t, err)
	return reg
}

func TestRetriesPassInVirtualTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		start := time.Now()
		kit := syncjobtest.New(t, registry(t, func(_ context.Context, task *handlers.Task[greeting]) error {
			if task.Retry < 3 {
				return errors.New("not yet")
			}
			return nil
		}))
		final := kit.Run(syncjob.Job{Name: "hello", Set: "greeter", Root: greeting{"Ann"}})
		require.Equal(t, syncjob.StatusSucceeded, final.Status)
		require.EqualValues(t, 3, final.Retried)
		require.Greater(t, time.Since(start), 5*time.Second, "backoffs of about 1, 2 and 4 s")
	})
}

func TestTheKitEndsWithTheTestThoughAHandlerRuns(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		started := make(chan struct{})
		kit := syncjobtest.New(t, registry(t, func(ctx context.Context, _ *handlers.Task[greeting]) error {
			close(started)
			<-ctx.Done()
			return ctx.Err()
		}))
		_, err := kit.Manager.Start(t.Context(), syncjob.Job{Name: "hello", Set: "greeter", Root: greeting{"Ann"}}, nil)
		require.NoError(t, err)
		<-started
	})
}
