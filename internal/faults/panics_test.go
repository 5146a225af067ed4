package faults

import (
	"errors"
	"path"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/rollcall-go/rollcall/handlers"
	"github.com/rollcall-go/rollcall/syncjob"
)

// hostile is an error whose text cannot be read.
type hostile struct{ text *string }

func (h hostile) Error() string { return *h.text }

// ways are those in which a handler may panic, by the last word of its path, with a word of the
// error that must be told of it.
var ways = []struct {
	panic func()
	tells string
}{
	{func() { var m map[string]int; m["a"] = 1 }, "nil map"},
	{func() { var p *node; p.Path = "a" }, "nil pointer"},
	{func() { s := make([]int, zero); s[1] = 1 }, "out of range"},
	{func() { _ = 1 / zero }, "divide by zero"},
	{func() { var v any = "a"; _ = v.(int) }, "interface conversion"},
	{func() { c := make(chan int); close(c); close(c) }, "closed channel"},
	{func() { panic("a text") }, "a text"},
	{func() { panic(errors.New("an error")) }, "an error"},
	{func() { panic(hostile{}) }, "PANIC"},
	{func() { panic(nil) }, "nil"},
	{func() { panic(handlers.Snooze(time.Hour)) }, "snooze"},
}

// zero is no constant, so that the compiler lets these pass.
var zero int

// panicIn panics in the way of the child with that path.
func panicIn(name string) {
	for i := range ways {
		if path.Base(name) == []string{"0", "1", "2", "3", "4", "5", "6", "7", "8", "9", "10"}[i] {
			ways[i].panic()
		}
	}
}

func handlerPanics(t *testing.T) {
	w := newWorld(t, longLease, nil)
	worker := w.worker(4)
	panicking := node{Path: "panicking", Fan: []int{len(ways)}, Leaf: panics}
	beside := node{Path: "beside", Fan: []int{200}}
	want := beside.childrenGrown()
	for p := range panicking.childrenGrown().paths {
		want.paths[p] = true
	}
	want.retried = int64(len(ways)) * handlers.DefaultMaxRetries
	s := w.begin(syncjob.Job{Name: jobName, Set: "tree", Open: true}, want)
	for _, n := range []node{panicking, beside} {
		_, err := s.EnqueueAll(t.Context(), n.children(), nil)
		require.NoError(t, err)
	}
	require.NoError(t, s.Seal(t.Context()))
	s.requireGrown(len(ways))

	failed := 0
	for f, err := range s.Failures(t.Context(), nil) {
		require.NoError(t, err)
		require.NotEmpty(t, f.TaskID)
		require.Equal(t, handlers.DefaultMaxRetries, f.Retry)
		require.Zero(t, f.Crashes)
		require.Contains(t, f.Stack, "panics_test.go", "the stack shows where: %s", f.Error)
		failed++
	}
	require.Equal(t, len(ways), failed)
	for _, way := range ways {
		found := false
		for f, err := range s.Failures(t.Context(), nil) {
			require.NoError(t, err)
			found = found || contains(f.Error, way.tells)
		}
		require.True(t, found, "no failure tells %q", way.tells)
	}
	for _, e := range about(s.events(), started, "") {
		require.Equal(t, worker.name, e.Worker, "the one worker lives")
	}
	worker.drain()
	s.requireNothingLeft()
}
