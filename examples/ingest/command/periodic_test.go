package command

import (
	"encoding/json"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/rollcall-go/rollcall/internal/redistest"
	"github.com/rollcall-go/rollcall/syncjob"
)

// outcome reads on to the next JSON object.
func (p *process) outcome() (o outcome) {
	p.t.Helper()
	for {
		if line := p.line(); line[0] == '{' {
			require.NoError(p.t, json.Unmarshal([]byte(line), &o), line)
			return o
		}
	}
}

func TestAPeriodicJobIsListedWatchedAndStopped(t *testing.T) {
	server := redistest.Start(t, nil)
	binary := build(t)
	tr := newTrees(t)
	tr.Write("first", "x", 0o644)
	m, err := syncjob.Open(t.Context(), server.URL(), syncjob.Config{Namespace: namespace})
	require.NoError(t, err)
	defer m.Close()
	operate := func(args ...string) string {
		t.Helper()
		status, stdout, stderr := command(t.Context(), append(args, "-store", server.URL())...)
		require.Equal(t, exitOK, status, stderr)
		return stdout
	}
	begin := []string{"start", "-src", tr.Src, "-dst", tr.Dst, "-name", "again", "-interval", "1h"}
	require.Equal(t, "job again: "+tr.Src+" to "+tr.Dst+", every 1h0m0s\n", operate(begin...))
	require.Regexp(t, `(?m)^periodic +again +- +0 +0 .* [-0-9]+ [:0-9]+$`, operate("list"))
	operate(begin...) // a run is due at once already, or under way

	worker := launch(t, binary, "worker", "-store", server.URL())
	watch := launch(t, binary, "watch", "again", "-store", server.URL(), "-json")
	require.EqualValues(t, 1, watch.outcome().files.Copied)
	tr.Write("second", "x", 0o644)
	_, err = m.TriggerNow(t.Context(), "again")
	require.NoError(t, err)
	second := watch.outcome()
	require.EqualValues(t, 1, second.files.Copied, "the file that is new")
	require.EqualValues(t, 1, second.files.Unchanged)
	tr.RequireEqual()
	require.Regexp(t, `(?m)^periodic +again +succeeded `, operate("list"))

	require.Contains(t, operate("stop", "again"), "job again: no more runs are due\n")
	status, _ := watch.end()
	require.Equal(t, exitOK, status, watch.complaints())
	require.Regexp(t, `(?m)^stopped +again +succeeded .* -$`, operate("list"))
	require.NotContains(t, operate("list", "-json"), "next_due")

	tr.Write("third", "x", 0o644)
	operate(begin...)
	again := launch(t, binary, "watch", "again", "-store", server.URL(), "-json")
	for again.outcome().files.Copied == 0 { // of the last run before, if it is still the newest
	}
	require.FileExists(t, filepath.Join(tr.Dst, "third"), "it runs at once, though it is due in an hour")
	require.Equal(t, 1, strings.Count(operate("list"), "periodic"), "it was started again")
	again.signal(syscall.SIGINT)
	status, _ = again.end()
	require.Equal(t, exitOK, status, again.complaints())
	worker.signal(syscall.SIGTERM)
	status, _ = worker.end()
	require.Equal(t, exitOK, status, worker.complaints())
}

func TestAPeriodicJobOnMemoryGoesOnUntilItIsInterrupted(t *testing.T) {
	tr := newTrees(t)
	tr.Write("file", "x", 0o644)
	p := launch(t, build(t), "start", "-src", tr.Src, "-dst", tr.Dst, "-name", "again", "-interval", "1s", "-json")
	require.EqualValues(t, 1, p.outcome().files.Copied)
	require.EqualValues(t, 1, p.outcome().files.Unchanged)
	p.signal(syscall.SIGINT)
	status, rest := p.end()
	require.Equal(t, exitOK, status, p.complaints())
	require.Contains(t, rest, "no more runs are due")
	require.Contains(t, p.complaints(), "stopping")
}
