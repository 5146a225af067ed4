package redistest

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestHalfATransactionIsNeverRun(t *testing.T) {
	s := Start(t, &Options{AOF: true})
	count := func() int64 {
		n, err := s.Client.Do(t.Context(), s.Client.B().Get().Key("n").Build()).AsInt64()
		require.NoError(t, err)
		return n
	}
	add := func() {
		require.NoError(
			t,
			s.Do(t.Context(), "EVAL", "redis.call('INCR', 'n') redis.call('SET', 'last', ARGV[1]) return 1", "0", "anything"),
		)
	}
	add()
	add()
	s.Kill()
	logs, err := filepath.Glob(filepath.Join(s.spec.dir, "appendonlydir", "*.incr.aof"))
	require.NoError(t, err)
	require.Len(t, logs, 1)
	info, err := os.Stat(logs[0])
	require.NoError(t, err)
	require.NoError(t, os.Truncate(logs[0], info.Size()-int64(len("*1\r\n$4\r\nexec\r\n"))-5), "amid the SET of the second")
	s.Restart()
	require.Equal(t, int64(1), count())
	add() // as after a reply that was lost
	require.Equal(t, int64(2), count())
	s.Restart()
	require.Equal(t, int64(2), count())
}
