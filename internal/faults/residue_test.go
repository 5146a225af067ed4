package faults

import (
	"strconv"
	"strings"

	"github.com/stretchr/testify/require"

	"github.com/rollcall-go/rollcall/store/bounds"
)

// requireNothingLeft requires that the ledger agrees with all that there is. Then it deletes the
// job of a finished run and requires that no key of the namespace names the run, and that none but
// the records of sessions and producers, which keep their last reply until they expire, and the
// audit, which tells of what is gone, holds anything of it.
func (s *subject) requireNothingLeft() {
	w := s.w
	w.t.Helper()
	w.requireBalanced()
	runs, err := w.oracle.JobRuns(w.t.Context(), s.Job())
	require.NoError(w.t, err)
	for _, run := range runs {
		state, err := run.State(w.t.Context())
		require.NoError(w.t, err)
		w.carry(s.Job(), counted(&state))
	}
	require.NoError(w.t, w.oracle.Delete(w.t.Context(), s.Job()))
	number := strconv.FormatInt(s.Number(), 10)
	for _, key := range w.keys() {
		if strings.Contains(key, "}:C:") {
			w.requireExpiry(key)
			continue
		}
		require.NotContains(w.t, key, number, "a key of the run is left behind")
		require.NotContains(w.t, key, ":"+s.Job(), "a key of the job is left behind")
		if strings.Contains(key, "}:L:") || strings.Contains(key, "}:P:") || strings.HasSuffix(key, "}:audit") {
			continue
		}
		for _, member := range w.members(key) {
			require.NotContains(w.t, member, number, "key %s holds something of the run", key)
		}
	}
}

// keys lists every key of the namespace.
func (w *world) keys() []string {
	w.t.Helper()
	var keys []string
	for _, node := range w.nodes() {
		for cursor := uint64(0); ; {
			page, err := node.Client.Do(w.t.Context(), node.Client.B().Scan().Cursor(cursor).Match("*"+w.namespace+"*").Count(1000).Build()).
				AsScanEntry()
			require.NoError(w.t, err)
			keys = append(keys, page.Elements...)
			if cursor = page.Cursor; cursor == 0 {
				break
			}
		}
	}
	return keys
}

// requireExpiry requires that a key, which tells of a cancelled task, goes by itself.
func (w *world) requireExpiry(key string) {
	w.t.Helper()
	for _, node := range w.nodes() {
		left, err := node.Client.Do(w.t.Context(), node.Client.B().Pttl().Key(key).Build()).AsInt64()
		if err != nil && strings.HasPrefix(err.Error(), "MOVED") {
			continue // it is on another node
		}
		require.NoError(w.t, err)
		require.NotEqual(w.t, int64(-1), left, "key %s stays for ever", key)
		require.LessOrEqual(w.t, left, bounds.StreamKept.Milliseconds(), key)
	}
}

// members lists what a set, a sorted set or a list holds, and the fields of a hash. The
// value in the hash meta, the highest number of a run, stays for ever.
func (w *world) members(key string) []string {
	w.t.Helper()
	for _, node := range w.nodes() {
		kind, err := node.Client.Do(w.t.Context(), node.Client.B().Type().Key(key).Build()).ToString()
		if kind == "none" || err != nil && strings.HasPrefix(err.Error(), "MOVED") {
			continue // a live worker has removed it since, or it is on another node
		}
		require.NoError(w.t, err)
		read := map[string][]string{
			"set":  {"SMEMBERS", key},
			"zset": {"ZRANGE", key, "0", "-1"},
			"list": {"LRANGE", key, "0", "-1"},
			"hash": {"HKEYS", key},
		}[kind]
		require.NotEmpty(w.t, read, "key %s is a %s", key, kind)
		list, err := node.Client.Do(w.t.Context(), node.Client.B().Arbitrary(read...).Build()).AsStrSlice()
		require.NoError(w.t, err)
		return list
	}
	return nil
}
