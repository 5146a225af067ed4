package handlerstest_test

import (
	"context"
	"errors"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/rollcall-go/rollcall/handlers"
	"github.com/rollcall-go/rollcall/handlers/handlerstest"
)

func TestTheResultOfASuccessIsThere(t *testing.T) {
	var fails error
	set := handlers.NewSet("ingest", handlers.SetConfig{})
	handlers.Handle(set, func(_ context.Context, task *handlers.Task[fileArgs]) error {
		return errors.Join(task.SetResult("done"), fails)
	}, nil)
	require.JSONEq(t, `"done"`, string(handlerstest.Do(t, set, fileArgs{}, nil).Result))

	var off handlers.Configuration
	off.Set.ResultRetention.Age = handlers.NoResults
	none := handlerstest.Do(t, set, fileArgs{}, &handlerstest.Options{Configuration: off})
	require.NoError(t, none.Err)
	require.Nil(t, none.Result)

	fails = errors.New("broken")
	require.Nil(t, handlerstest.Do(t, set, fileArgs{}, nil).Result)
}
