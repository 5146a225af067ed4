package main

import (
	"encoding/json"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/rollcall-go/rollcall/syncjob/states"
)

func TestOneCommandActsOnManyJobs(t *testing.T) {
	p := newPlace(t)
	p.Started("import/1", leaf{Fail: "no such file"}, leaf{Fail: "no such file"})
	p.Started("import/2", leaf{Fail: "no such file"})
	p.Started("other", leaf{Fail: "no such file"})
	p.Nightly(t.Context(), "nightly")
	require.Eventually(t, func() bool {
		failed := int64(0)
		for s, err := range p.M.Runs(t.Context(), nil) {
			require.NoError(t, err)
			failed += s.Counts.Failed
		}
		return failed == 4
	}, 20*time.Second, 10*time.Millisecond)

	require.Regexp(t, `(?s)import/1 .* 2 .*import/2 .*would retry the failed tasks of 2 of 2 jobs, with 3 tasks;`,
		p.rollcall(0, "retry", "--prefix", "import/", "--kind", "leaf", "--dry-run"))
	require.Contains(
		t,
		p.rollcall(2, "retry", "--prefix", "import/"),
		"This would retry the failed tasks of 2 jobs, with 3 tasks. Say --yes",
	)
	require.Contains(
		t,
		p.rollcall(0, "discard", "--prefix", "import/2", "--yes"),
		"discarded the failed tasks of 1 of 1 job, with 1 task;",
	)
	require.Contains(t, p.rollcall(0, "retry", "--prefix", "import/", "--rate", "1000", "--yes"),
		"retried the failed tasks of 1 of 2 jobs, with 2 tasks; 0 were so already, of 1 there is nothing to do, 0 failed")

	require.Contains(
		t,
		p.rollcall(0, "pause", "--label", "tenant=acme", "--yes", "--reason", "a drill", "--actor", "ann"),
		"paused 3 of 3 jobs",
	)
	require.Regexp(t, `ann +pause .*import/1.*a drill`, p.rollcall(0, "audit", "--by", "ann"))
	require.Contains(
		t,
		p.rollcall(0, "pause", "--all", "--yes"),
		"paused 0 of 4 jobs, with 0 tasks; 3 were so already, of 1 there is",
	)
	var resumed states.BulkResult
	require.NoError(t, json.Unmarshal([]byte(p.rollcall(0, "resume", "--group", "active", "--yes", "-o", "json")), &resumed))
	require.Equal(t, 3, resumed.Changed)
	require.Contains(t, p.rollcall(0, "stop", "--all", "--graceful", "--yes"), "stopped 4 of 4 jobs")
	require.Contains(t, p.rollcall(0, "enable", "--all", "--yes"), "enabled 1 of 4 jobs")

	p.rollcall(2, "stop")
	p.rollcall(2, "stop", "--yes")
	p.rollcall(2, "stop", "other", "--all")
	require.Contains(t, p.rollcall(2, "stop", "--prefix", "", "--yes"), "All")
	require.Contains(t, p.rollcall(2, "pause", "--dry-run"), "All")
	p.rollcall(2, "stop", "--group", "nonsense", "--yes")
}
