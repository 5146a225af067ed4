package redistest

import (
	"testing"

	"github.com/stretchr/testify/require"
)

func TestAPortTakenMeanwhileIsRecognised(t *testing.T) {
	other := Start(t, nil)

	_, err := launch(spec{binary: Binary(t), dir: t.TempDir(), port: other.spec.port})

	require.ErrorIs(t, err, errExited, "the server that answers there is another one")
	require.ErrorContains(t, err, "bind", "the log tells why")
	require.False(t, free(other.spec.port))
}

func TestThePortOfAKilledServerStaysReserved(t *testing.T) {
	var port int
	t.Run("a server", func(t *testing.T) {
		s := Start(t, nil)
		port = s.spec.port
		s.Kill()
		for _, number := range []int{port, port - busOffset, port + busOffset} { // as its own port, or as that of a bus
			_, err := reserve(number)
			require.Error(t, err, "another test starts a server meanwhile")
		}
		s.Restart()
	})
	again, err := reserve(port)
	require.NoError(t, err)
	again.release()
}

func TestAServerThatIsDeadDoesNotRunWhoeverAnswersInItsPlace(t *testing.T) {
	s := Start(t, nil)
	require.True(t, s.Running())
	s.Kill()
	require.False(t, s.Running())

	other, err := launch(spec{binary: Binary(t), dir: t.TempDir(), port: s.spec.port}) // heeds no reservation
	require.NoError(t, err)
	defer other.kill()
	pid, err := probe(t.Context(), s.spec.port, pong)
	require.NoError(t, err, "somebody answers")
	require.Equal(t, other.cmd.Process.Pid, pid)
	require.False(t, s.Running())

	other.kill()
	s.Restart()
	require.True(t, s.Running())
}

// tbStub records how a test would have ended.
type tbStub struct {
	testing.TB
	ended string
}

func (s *tbStub) end(how string) {
	if s.ended == "" { // a real test would not have gone on
		s.ended = how
	}
}

func (s *tbStub) Helper()                        {}
func (s *tbStub) Skipf(format string, _ ...any)  { s.end("skipped: " + format) }
func (s *tbStub) Fatalf(format string, _ ...any) { s.end("failed: " + format) }

func TestWithoutRedisTestsAreSkippedUnlessItIsRequired(t *testing.T) {
	t.Setenv("PATH", t.TempDir())
	for required, want := range map[string]string{"": "skipped", "1": "failed"} {
		t.Setenv(RequireEnv, required)
		stub := &tbStub{TB: t}
		require.Empty(t, Binary(stub))
		require.Regexp(t, "^"+want, stub.ended)
	}
}
