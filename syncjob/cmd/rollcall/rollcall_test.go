package main

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"net/http"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/rollcall-go/rollcall/internal/redistest"
	"github.com/rollcall-go/rollcall/internal/scene"
	"github.com/rollcall-go/rollcall/store/semaphore"
	"github.com/rollcall-go/rollcall/syncjob"
	"github.com/rollcall-go/rollcall/syncjob/schedule"
	"github.com/rollcall-go/rollcall/syncjob/states"
)

type leaf = scene.Leaf

// place is a scene on a server, with a worker, for the commands to look at.
type place struct {
	*scene.Place
	t     *testing.T
	store string
}

func newPlace(t *testing.T) *place {
	t.Helper()
	url := redistest.Start(t, nil).URL()
	t.Setenv("ROLLCALL_STORE", url)
	p := &place{Place: scene.Open(t, url), t: t, store: url}
	p.Work()
	return p
}

// rollcall runs a command line and returns what it printed.
func (p *place) rollcall(code int, args ...string) string {
	p.t.Helper()
	return p.typed(code, "", args...)
}

func (p *place) typed(code int, input string, args ...string) string {
	p.t.Helper()
	var out bytes.Buffer
	got := run(p.t.Context(), args, streams{strings.NewReader(input), &out, &out})
	require.Equal(p.t, code, got, "rollcall %s: %s", strings.Join(args, " "), out.String())
	return out.String()
}

func TestCommandsShowWhatThereIs(t *testing.T) {
	p := newPlace(t)
	failed := p.Started("import/7", leaf{Fail: "no \x1b[31msuch\u202e\nfile"}, leaf{})
	require.NoError(t, failed.Seal(t.Context()))
	_, err := failed.Wait(t.Context())
	require.NoError(t, err)
	busy := p.Started("busy", leaf{Block: true})
	p.Nightly(t.Context(), "nightly")
	_, err = semaphore.New(p.M.Store()).TryAcquire(t.Context(), "lock/a", &semaphore.Options{Holder: "me"})
	require.NoError(t, err)
	task := p.Reporting(busy)
	for _, c := range []struct {
		args []string
		code int
		has  []string
	}{
		{[]string{"jobs"}, 0, []string{"JOB", "import/7", "busy", "nightly"}},
		{[]string{"jobs", "--group", "active", "--limit", "1"}, 0, []string{"busy"}},
		{[]string{"jobs", "--prefix", "nobody"}, 0, []string{"none"}},
		{[]string{"jobs", "--prefix", "nobody", "-o", "json"}, 0, []string{"[]"}},
		{[]string{"job", "nightly"}, 0, []string{"periodic", "next due"}},
		{[]string{"runs", "import/7"}, 0, []string{strconv.FormatInt(failed.Number(), 10), "failed"}},
		{[]string{"runs"}, 0, []string{"import/7", "busy"}},
		{[]string{"runs", "--status", "active"}, 0, []string{"busy"}},
		{[]string{"runs", "--label", "tenant=acme"}, 0, []string{"busy"}},
		{[]string{"runs", "--label", "tenant=nobody"}, 0, []string{"none"}},
		{[]string{"runs", "--still", "1h"}, 0, []string{"none"}},
		{[]string{"run", "import/7"}, 0, []string{"last error", `no \x1b[31msuch\u202e\nfile`}},
		{[]string{"run", "import/7", "--run", strconv.FormatInt(failed.Number(), 10)}, 0, []string{"failed"}},
		{[]string{"explain", "busy"}, 0, []string{"cannot finish before it is sealed"}},
		{[]string{"tasks", "busy"}, 0, []string{task, "running", "w1"}},
		{[]string{"task", "busy", task}, 0, []string{"1 of 3, half way"}},
		{[]string{"failures", "import/7"}, 0, []string{`no \x1b[31msuch\u202e\nfile`, "w1"}},
		{[]string{"failures"}, 0, []string{"import/7", `no \x1b[31msuch`}},
		{[]string{"failures", "--groups"}, 0, []string{"tree", "leaf"}},
		{[]string{"queues"}, 0, []string{"default", "tree", "leaf"}},
		{[]string{"workers"}, 0, []string{"w1", "v1.2.3"}},
		{[]string{"workers", "--lost"}, 0, []string{"none"}},
		{[]string{"sets"}, 0, []string{"tree", "leaf"}},
		{[]string{"schedules"}, 0, []string{"nightly", "0 3 * * * Europe/Berlin"}},
		{[]string{"pauses"}, 0, []string{"none"}},
		{[]string{"history", "tree"}, 0, []string{"none"}},
		{[]string{"semaphores"}, 0, []string{"lock/a", "me", "holds"}},
		{[]string{"limits"}, 0, []string{"none"}},
		{[]string{"values"}, 0, []string{"none"}},
		{[]string{"values", "busy"}, 0, []string{"none"}},
		{[]string{"release", "lock/", "--yes"}, 0, []string{"released 1 semaphore"}},
		{[]string{"mode"}, 0, []string{"read-write"}},
		{[]string{"wait", "import/7"}, 10, []string{"failed: 2 of 2 tasks"}},
		{[]string{"watch", "import/7"}, 10, []string{"failed: 2 of 2 tasks"}},
		{[]string{"doctor"}, 0, []string{"noeviction", "all partitions answer"}},
		{[]string{"acl"}, 0, []string{"ACL SETUSER", "+evalsha"}},
		{[]string{"__complete", "explain", "imp"}, 0, []string{"import/7"}},
		{[]string{"completion", "bash"}, 0, []string{"__start_rollcall"}},
		{[]string{"completion", "zsh"}, 0, []string{"#compdef rollcall"}},
	} {
		out := p.rollcall(c.code, c.args...)
		for _, text := range c.has {
			require.Contains(t, out, text, strings.Join(c.args, " "))
		}
		if c.args[0] != "completion" && c.args[0] != "__complete" {
			require.NotContains(t, out, "\x1b", "%v", c.args)
			require.NotContains(t, out, "\u202e", "%v", c.args)
		}
	}
	var jobs []states.Job
	require.NoError(t, json.Unmarshal([]byte(p.rollcall(0, "jobs", "-o", "json")), &jobs))
	require.Len(t, jobs, 3)
	for line := range strings.Lines(p.rollcall(0, "failures", "import/7", "-o", "jsonl")) {
		var f states.Failure
		require.NoError(t, json.Unmarshal([]byte(line), &f))
		require.Equal(t, "no \x1b[31msuch\u202e\nfile", f.Error, "programs get the exact text")
	}
}

func TestCommandsAct(t *testing.T) {
	p := newPlace(t)
	require.Contains(t, p.rollcall(0, "start", "feed", "--set", "tree", "--open", "--key", "k", "--deadline", "24h"), "started run")
	require.Contains(t, p.rollcall(0, "start", "feed", "--set", "tree", "--open", "--key", "k"), "found run")
	require.Contains(
		t,
		p.rollcall(0, "enqueue", "feed", "--kind", "leaf", "--args", `{"fail":"by hand"}`, "--id", "t1"),
		"added task t1",
	)
	require.Contains(
		t,
		p.typed(0, "{}\n\n{\"fail\":\"x\"}\n{}\n", "enqueue", "feed", "--kind", "leaf", "-f", "-"),
		"added 3 tasks",
	)
	p.rollcall(0, "quiet", "w1")
	require.Contains(t, p.rollcall(0, "workers"), "quiet")
	p.rollcall(0, "resume", "--worker", "w1")
	p.rollcall(3, "drain", "nobody")
	p.rollcall(0, "pause", "feed")
	require.Contains(t, p.rollcall(0, "jobs"), "running, paused")
	p.rollcall(0, "resume", "feed")
	p.rollcall(0, "pause", "--queue", "slow", "--reason", "new disk", "--actor", "ann")
	require.Regexp(t, `queue slow .* ann .*new disk`, p.rollcall(0, "pauses"))
	p.rollcall(0, "resume", "--queue", "slow")
	require.Regexp(t, `ann +pause .*new disk`, p.rollcall(0, "audit", "--by", "ann"))
	require.Contains(t, p.rollcall(0, "pauses"), "none")
	p.rollcall(0, "enqueue", "feed", "--kind", "leaf", "--id", "later", "--delay", "1h")
	p.rollcall(0, "reschedule", "feed", "later", "2h30m")
	p.rollcall(2, "reschedule", "feed", "later", "soon")
	require.Contains(t, p.rollcall(0, "tasks", "feed", "--state", "delayed"), "(in 2h")
	p.rollcall(0, "run-now", "feed", "later")
	p.rollcall(0, "enqueue", "feed", "--kind", "leaf", "--id", "never", "--delay", "1h")
	require.Contains(t, p.rollcall(0, "cancel", "feed", "never", "--yes"), "cancelled: task never")
	p.rollcall(3, "run-now", "feed", "never")
	require.Eventually(t, func() bool {
		s, err := p.M.State(t.Context(), "feed")
		require.NoError(t, err)
		return s.Run.Counts.Failed == 2
	}, 20*time.Second, 10*time.Millisecond)
	require.Contains(t, p.rollcall(0, "discard", "feed", "--id", "t1", "--yes"), "1 failed task of")
	require.Contains(t, p.rollcall(0, "retry", "feed"), "1 failed task of")
	p.rollcall(0, "seal", "feed")
	require.Contains(t, p.rollcall(10, "wait", "feed"), "6 of 6 tasks")
	require.Contains(t, p.rollcall(0, "redrive", "feed"), "started run")
	p.rollcall(10, "wait", "feed")
	p.GaveUp("report")
	require.Contains(t, p.rollcall(0, "runs", "--held"), "report")
	require.Contains(t, p.rollcall(0, "explain", "report"), "repeat the hook, or accept this")
	require.Contains(t, p.rollcall(0, "repeat-post-job", "report"), "the hook waits again: run")
	require.Contains(t, p.rollcall(4, "repeat-post-job", "report"), "not held")
	p.GaveUp("report/2")
	require.Contains(t, p.rollcall(0, "accept", "report/2"), "accepted the failures of run")
	p.rollcall(0, "wait", "report/2")
	p.rollcall(0, "delete", "feed", "--yes")
	p.rollcall(3, "job", "feed")

	p.typed(
		0,
		`{"set":{"max_retries":9}}`,
		"configure",
		"tree",
		"-f",
		"-",
		"--reason",
		"flaky disk",
		"--actor",
		"bob",
	)
	require.Contains(t, p.rollcall(0, "configure", "tree"), `"max_retries": 9`)
	require.Regexp(t, `bob +flaky disk`, p.rollcall(0, "history", "tree"))
	p.typed(2, `{"set":{"max_retries":-9}}`, "configure", "tree", "-f", "-")
	p.typed(4, `{}`, "configure", "tree", "-f", "-", "--if-version", "77")
	p.rollcall(0, "reset", "tree", "--yes")
	require.NotContains(t, p.rollcall(0, "configure", "tree"), "max_retries")
	p.rollcall(0, "mode", "read-only")
	require.Contains(t, p.rollcall(0, "pauses"), "read-only")
	p.rollcall(0, "mode", "read-write")
	p.rollcall(2, "mode", "sideways")

	_, err := p.M.Ensure(
		t.Context(),
		syncjob.Job{Name: "yearly", Set: "tree", Root: leaf{}, Schedule: &schedule.Schedule{Cron: "@yearly"}},
	)
	require.NoError(t, err)
	p.rollcall(0, "trigger", "yearly")
	p.rollcall(0, "wait", "yearly")
	p.rollcall(0, "stop", "yearly", "--yes")
	require.Contains(t, p.rollcall(0, "jobs"), "disabled")
	p.rollcall(0, "enable", "yearly")
	require.Contains(t, p.rollcall(0, "repair", "yearly", "--dry-run"), "")
}

func TestNothingIsStoppedUnasked(t *testing.T) {
	p := newPlace(t)
	r := p.Started("busy", leaf{Block: true})
	for _, args := range [][]string{{"stop", "busy"}, {"delete", "busy"}, {"reset", "tree"}, {"release-hold", "busy", "open"},
		{"release", "x"}, {"cancel", "busy", "x"}, {"discard", "busy"}} {
		require.Contains(t, p.typed(2, "y\n", args...), "--yes", "nobody sits at a pipe")
	}
	s, err := r.State(t.Context())
	require.NoError(t, err)
	require.Equal(t, states.Running, s.Status)
	p.rollcall(4, "delete", "busy", "--yes")
	p.rollcall(0, "stop", "busy", "--yes", "--reason", "disk full")
	require.Contains(t, p.rollcall(11, "wait", "busy"), "reason: disk full")
}

func TestExitCodesSayWhatIsWrong(t *testing.T) {
	p := newPlace(t)
	p.Started("a")
	for code, lines := range map[int][][]string{
		2: {
			{"nope"}, {"jobs", "x"}, {"jobs", "--nope"}, {"jobs", "-o", "xml"}, {"jobs", "--group", "odd"}, {"job"}, {"pause"},
			{"pause", "a", "--queue", "q"}, {"enqueue", "a"}, {"enqueue", "a", "--kind", "leaf", "--args", "{"},
			{"configure", "tree", "-f", filepath.Join(t.TempDir(), "none")}, {"ui", "--listen", "0.0.0.0:0"}, {"ui", "--listen", "here"},
		},
		3: {{"job", "b"}, {"runs", "b"}, {"run", "a", "--run", "7"}, {"task", "a", "none"}, {"stop", "b"}, {"wait", "b"}},
		4: {{"start", "a", "--set", "tree", "--open"}, {"redrive", "a"}, {"result", "a", "none"}},
	} {
		for _, args := range lines {
			p.rollcall(code, args...)
		}
	}
	var out bytes.Buffer
	none := streams{strings.NewReader(""), &out, &out}
	require.Equal(t, 2, run(t.Context(), []string{"jobs", "--store", ""}, none))
	require.Contains(t, out.String(), "ROLLCALL_STORE")
	require.Equal(t, 5, run(t.Context(), []string{"jobs", "--store", "redis://127.0.0.1:1"}, none))
	require.Equal(
		t,
		3,
		run(t.Context(), []string{"check", "--store", "redis://127.0.0.1:1"}, none),
		"unknown, for a monitoring system",
	)
	require.Contains(t, out.String(), "UNKNOWN: ")
}

func TestCheckPrintsWhatMonitoringSystemsRead(t *testing.T) {
	p := newPlace(t)
	require.Eventually(t, func() bool {
		workers, err := p.M.Workers(t.Context())
		require.NoError(t, err)
		return len(workers) == 1
	}, 20*time.Second, 10*time.Millisecond)
	require.Equal(t, "OK: all is well | workers=1 waiting=0 oldest=0s failed=0\n", p.rollcall(0, "check"))
	r := p.Started("a", leaf{Fail: "x"})
	require.Eventually(t, func() bool {
		s, err := r.State(t.Context())
		require.NoError(t, err)
		return s.Counts.Failed == 1
	}, 20*time.Second, 10*time.Millisecond)
	require.Contains(t, p.rollcall(1, "check"), "WARNING: 1 task of active runs failed | workers=1")
	p.rollcall(0, "check", "--max-failed", "1")
	p.rollcall(0, "enqueue", "a", "--kind", "leaf", "--queue", "nobody")
	require.Contains(t, p.rollcall(2, "check"), "CRITICAL: no worker serves queue nobody")
	require.Contains(t, p.rollcall(2, "check", "--max-wait", "1ns"), "a task of queue nobody has waited for")
	require.Contains(t, p.rollcall(2, "check", "--min-workers", "2"), "1 worker alive")
}

func TestTheLiveScreenShowsEverything(t *testing.T) {
	p := newPlace(t)
	p.Started("busy", leaf{Block: true})
	var out bytes.Buffer
	a := &app{streams: streams{out: &out, err: &out}, m: p.M}
	require.NoError(t, a.draw(t.Context(), &out))
	for _, text := range []string{"read-write", "QUEUES", "ACTIVE JOBS", "busy", "slots in use"} {
		require.Contains(t, out.String(), text)
	}
}

func TestTheDashboardIsForThisMachineOnly(t *testing.T) {
	p := newPlace(t)
	t.Setenv("ROLLCALL_UI_PASSWORD", "open sesame")
	reader, writer := io.Pipe()
	ctx, stop := context.WithCancel(t.Context())
	done := make(chan int, 1)
	go func() {
		done <- run(ctx, []string{"ui", "--listen", "127.0.0.1:0", "--store", p.store}, streams{strings.NewReader(""), writer, io.Discard})
	}()
	said := make([]byte, 100)
	n, err := reader.Read(said)
	require.NoError(t, err)
	_, at, found := strings.Cut(strings.TrimSpace(string(said[:n])), "look at ")
	require.True(t, found)
	get := func(host, password string) int {
		r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, at, http.NoBody)
		require.NoError(t, err)
		if host != "" {
			r.Host = host
		}
		r.SetBasicAuth("", password)
		res, err := http.DefaultClient.Do(r)
		require.NoError(t, err)
		require.NoError(t, res.Body.Close())
		return res.StatusCode
	}
	require.Equal(t, http.StatusOK, get("", "open sesame"))
	require.Equal(t, http.StatusUnauthorized, get("", "guess"))
	require.Equal(
		t,
		http.StatusMisdirectedRequest,
		get("evil.example", "open sesame"),
		"a name of another site for this machine",
	)
	stop()
	require.Zero(t, <-done)
}
