package redistest_test

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/rollcall-go/rollcall/internal/redistest"
)

func TestMain(m *testing.M) {
	// After a change of topology the cluster client closes connections it no
	// longer needs five seconds later, also when it was itself closed before.
	goleak.VerifyTestMain(m, goleak.IgnoreAnyFunction("github.com/redis/rueidis.(*clusterClient)._refresh.func2"))
}

func TestAServerAnswers(t *testing.T) {
	s := redistest.Start(t, nil)
	require.NoError(t, s.Do(t.Context(), "SET", "k", "v"))
}

func TestAnAppendOnlyFileSurvivesKillAndRestart(t *testing.T) {
	s := redistest.Start(t, &redistest.Options{AOF: true})
	require.NoError(t, s.Do(t.Context(), "SET", "k", "v"))

	s.Kill()
	s.Kill()
	s.Restart()

	got, err := s.Client.Do(t.Context(), s.Client.B().Get().Key("k").Build()).ToString()
	require.NoError(t, err)
	require.Equal(t, "v", got)
}

func TestAPausedServerAnswersAfterResume(t *testing.T) {
	s := redistest.Start(t, nil)

	s.Pause()
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	require.ErrorIs(t, s.Do(ctx, "INCR", "n"), context.DeadlineExceeded)
	s.Resume()

	require.NoError(t, s.Do(t.Context(), "PING"))
	got, err := s.Client.Do(t.Context(), s.Client.B().Get().Key("n").Build()).ToString()
	require.NoError(t, err)
	require.Equal(t, "1", got, "what timed out was executed later")
}
