package faults

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/rollcall-go/rollcall/enqueue"
	"github.com/rollcall-go/rollcall/store"
	"github.com/rollcall-go/rollcall/store/redisstore"
	"github.com/rollcall-go/rollcall/store/semaphore"
	"github.com/rollcall-go/rollcall/store/values"
	"github.com/rollcall-go/rollcall/syncjob"
)

// nasty are names that have broken systems before.
var nasty = []string{
	"", " ", "a ", " a", "{}", "{", "}", "}{", "{a}:b", ":", "::", "a:b", "/", "a/b", "a//b", "../..", "a\nb", "\r\n", "a\x00b", "\x00",
	"\x7f", "\u0085", "\u2028", "\ufeff", "\xff\xfe", "a\xc3", strings.Repeat("x", 10<<10), strings.Repeat("é", 100), strings.Repeat("n", 200),
	"*", "?", "[a-z]", "run:1", "meta", "@pre", "@post", "open", "nil", "true", "-1", "1e309", "%s%d", "${jndi:x}", "';--", "<script>",
	"return redis.call('FLUSHALL')", "\\u0000", "𐍈", "a\u0301", "á", "A", "a", "e\u0000", "\u202e", "名前", "🤷",
}

// anyName draws names: those, random text, and mixtures.
func anyName() *rapid.Generator[string] {
	return rapid.OneOf(
		rapid.SampledFrom(nasty), rapid.String(),
		rapid.Map(rapid.SliceOfN(rapid.Byte(), 0, 40), func(b []byte) string { return string(b) }),
		rapid.Map(rapid.SliceOfN(rapid.SampledFrom(nasty), 1, 4), func(parts []string) string { return strings.Join(parts, "") }),
	)
}

// hostileNames hands names of every kind to the public API. Each is refused, with an error that
// names the field and before anything is sent, or stored as it is, beside all others.
func hostileNames(t *testing.T) {
	w := newWorld(t, longLease, nil)
	worker := w.worker(4)
	w.warm()
	sent := w.writes()
	accepted := make(map[string]string)   // job → what was stored with it
	payloads := make(map[string][]string) // job → of its tasks that fail
	draw := func(rt *rapid.T) {
		job, id, other := anyName().Draw(rt, "job"), anyName().Draw(rt, "id"), anyName().Draw(rt, "other")
		ctx := t.Context()
		refused := func(what string, err error) bool {
			if err == nil {
				return false
			}
			bad := (*store.FieldError)(nil)
			require.ErrorAs(rt, err, &bad, "%s %q", what, job)
			require.NotEmpty(rt, bad.Field)
			require.Zero(rt, sent.Load(), "%s: something was sent, and then refused", what)
			return true
		}

		sent.Store(0)
		_, err := w.m.Start(ctx, syncjob.Job{Name: "fine", Set: other, Root: node{Path: "a"}}, nil)
		require.True(rt, refused("a set that nobody has", err))
		_, err = w.m.Start(
			ctx, syncjob.Job{Name: job, Set: "tree", Open: true},
			&syncjob.StartOptions{Key: other, IfActive: syncjob.IfActiveJoin},
		)
		if !refused("a job", err) {
			w.requireStored(rt, accepted, job, id, other)
			payloads[job] = append(payloads[job], w.enqueueToFail(rt, job, other+id))
		}

		sent.Store(0)
		sems := semaphore.New(w.m.Store())
		lease, err := sems.TryAcquire(ctx, other, &semaphore.Options{Holder: id, TTL: time.Minute})
		if !refused("a semaphore", err) {
			held, err := sems.Holders(ctx, other)
			require.NoError(rt, err)
			require.Len(rt, held, 1, "semaphore %q is nobody else's", other)
			if id != "" { // or it is named after its process
				require.Equal(rt, id, held[0].Holder)
			}
			require.NoError(rt, lease.Release(ctx))
		}

		sent.Store(0)
		_, err = redisstore.Open(ctx, w.url, redisstore.Config{Namespace: "}" + other})
		require.True(rt, refused("a namespace", err))
	}
	for range 5 { // of a hundred each
		rapid.Check(t, draw)
	}
	// What was accepted stands side by side, each as it was given.
	found := make(map[string]bool)
	for state, err := range w.m.Jobs(t.Context(), nil) {
		require.NoError(t, err)
		found[state.Name] = true
	}
	for job := range accepted {
		require.True(t, found[job], "job %q is in no listing", job)
		w.requireFailed(job, payloads[job])
		require.NoError(t, w.m.Stop(t.Context(), job, nil))
	}
	w.requireBalanced()
	for job := range accepted {
		require.NoError(t, w.oracle.Delete(t.Context(), job))
	}
	require.NoError(t, w.oracle.Delete(t.Context(), "warm-up"))
	worker.drain()
	for _, key := range w.keys() {
		require.False(t, namesARun(key), "a run is left behind: %s", key)
		require.True(t, strings.HasPrefix(key, "{"+w.namespace+":0}:"), "a key outside of the namespace: %q", key)
	}
	t.Logf("%d names of jobs were accepted", len(accepted))
}

// requireStored requires that the run of a job can be found under its name, and that a task of a
// chosen ID is that task.
func (w *world) requireStored(rt *rapid.T, accepted map[string]string, job, id, key string) {
	ctx := w.t.Context()
	require.True(rt, utf8.ValidString(job))
	run, err := w.m.Latest(ctx, job)
	require.NoError(rt, err)
	state, err := run.State(ctx)
	require.NoError(rt, err)
	require.Equal(rt, job, state.Job)
	mark := fmt.Sprintf("%d %s", run.Number(), job)
	if before, again := accepted[job]; again {
		require.Equal(rt, before, mark, "job %q was another's", job)
	}
	accepted[job] = mark
	_, err = run.Enqueue(
		ctx, node{Path: "quiet", Quiet: true},
		&enqueue.Options{ID: id, IDFor: time.Hour, Headers: map[string]string{key: id}},
	)
	if err != nil {
		require.ErrorIs(rt, err, store.ErrInvalid)
		return
	}
	receipt, err := run.Enqueue(ctx, node{Path: "quiet", Quiet: true}, &enqueue.Options{ID: id, IDFor: time.Hour})
	require.NoError(rt, err)
	require.Equal(rt, id != "", receipt.Duplicate, "ID %q", id)
	data := values.NewMap[string](w.m.Values(), store.JobScope(job), "names")
	if err := data.Set(ctx, id, key); err != nil {
		require.ErrorIs(rt, err, store.ErrInvalid)
		return
	}
	got, ok, err := data.Get(ctx, id)
	require.NoError(rt, err)
	require.True(rt, ok)
	require.Equal(rt, strings.ToValidUTF8(key, "\ufffd"), got)
}

// enqueueToFail adds a task to the run of the job that fails for good, with the text in its
// payload, and returns that. The text by itself is refused, unless it is JSON.
func (w *world) enqueueToFail(rt *rapid.T, job, text string) string {
	ctx := w.t.Context()
	run, err := w.m.Latest(ctx, job)
	require.NoError(rt, err)
	if text != "" && !json.Valid([]byte(text)) {
		_, err = run.Enqueue(ctx, enqueue.Raw("node", []byte(text), nil), nil)
		require.ErrorIs(rt, err, store.ErrInvalid, "%q", text)
	}
	payload, err := json.Marshal(node{Path: "quiet", Quiet: true, Leaf: fails, Secret: text})
	require.NoError(rt, err)
	_, err = run.Enqueue(ctx, enqueue.Raw("node", payload, nil), &enqueue.Options{MaxRetries: enqueue.NoRetries})
	require.NoError(rt, err)
	return string(payload)
}

// requireFailed waits for the tasks of the job that fail, and requires that they were run with
// these payloads.
func (w *world) requireFailed(job string, payloads []string) {
	run, err := w.m.Latest(w.t.Context(), job)
	require.NoError(w.t, err)
	for state, err := range run.Watch(w.t.Context()) {
		require.NoError(w.t, err)
		if state.Counts.Failed == int64(len(payloads)) {
			break
		}
	}
	var failed []string
	for f, err := range run.Failures(w.t.Context(), nil) {
		require.NoError(w.t, err)
		failed = append(failed, string(f.Payload))
	}
	require.ElementsMatch(w.t, payloads, failed, "of %q", job)
}
