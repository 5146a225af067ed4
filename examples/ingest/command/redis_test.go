package command

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/rollcall-go/rollcall/examples/ingest/mirror"
	"github.com/rollcall-go/rollcall/handlers"
	"github.com/rollcall-go/rollcall/internal/redistest"
	"github.com/rollcall-go/rollcall/syncjob"
	"github.com/rollcall-go/rollcall/syncjob/states"
)

// buildDir is where the program is, once a test needed it.
var buildDir string

// program makes the program, once for all tests.
var program = sync.OnceValues(func() (binary string, err error) {
	if buildDir, err = os.MkdirTemp("", "ingest-test-"); err != nil {
		return "", err
	}
	binary = filepath.Join(buildDir, "ingest")
	out, err := exec.Command("go", "build", "-o", binary, "..").CombinedOutput()
	if err != nil {
		err = fmt.Errorf("%w: %s", err, out)
	}
	return binary, err
})

// build returns the program.
func build(t *testing.T) (binary string) {
	t.Helper()
	binary, err := program()
	require.NoError(t, err)
	return binary
}

// process is a started command whose standard output is read line by line.
type process struct {
	t      *testing.T
	cmd    *exec.Cmd
	stdout *bufio.Reader
	spoke  chan struct{} // closed with the first words on standard error

	mu     sync.Mutex
	stderr bytes.Buffer
}

// Write implements io.Writer, for standard error.
func (p *process) Write(b []byte) (int, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.stderr.Len() == 0 {
		close(p.spoke)
	}
	return p.stderr.Write(b)
}

// complaints is what it wrote to standard error so far.
func (p *process) complaints() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.stderr.String()
}

func launch(t *testing.T, binary string, args ...string) *process {
	t.Helper()
	p := &process{t: t, cmd: exec.Command(binary, args...), spoke: make(chan struct{})}
	pipe, err := p.cmd.StdoutPipe()
	require.NoError(t, err)
	p.stdout = bufio.NewReader(pipe)
	p.cmd.Stderr = p
	require.NoError(t, p.cmd.Start())
	t.Cleanup(func() {
		if p.cmd.ProcessState == nil {
			_ = p.cmd.Process.Kill()
			_ = p.cmd.Wait()
		}
	})
	return p
}

// line waits for a line of output.
func (p *process) line() string {
	p.t.Helper()
	line, err := p.stdout.ReadString('\n')
	require.NoError(p.t, err, p.complaints())
	return line
}

func (p *process) signal(s syscall.Signal) {
	p.t.Helper()
	require.NoError(p.t, p.cmd.Process.Signal(s))
}

// end waits for the end of the process and returns the rest of its output.
func (p *process) end() (status int, rest string) {
	p.t.Helper()
	text, err := io.ReadAll(p.stdout)
	require.NoError(p.t, err)
	_ = p.cmd.Wait() // the status says it
	return p.cmd.ProcessState.ExitCode(), string(text)
}

// fill makes a tree of so many directories with ten files each.
func (tr *trees) fill(dirs int) (count, size int64) {
	for d := range dirs {
		for f := range 10 {
			content := strings.Repeat(fmt.Sprintf("%d/%d\n", d, f), 500*f)
			tr.Write(fmt.Sprintf("%d/%d/%d", d%10, d, f), content, 0o644)
			count++
			size += int64(len(content))
		}
	}
	return count, size
}

func TestTheProgramOnMemory(t *testing.T) {
	binary := build(t)
	tr := newTrees(t)
	count, size := tr.fill(30)
	for _, want := range []outcome{
		{Total: 72, Succeeded: 72, files: files{Copied: count, Bytes: size}},
		{Total: 42, Succeeded: 42, files: files{Unchanged: count}},
	} {
		p := launch(t, binary, "start", "-src", tr.Src, "-dst", tr.Dst, "-json", "-name", "job")
		status, rest := p.end()
		require.Equal(t, exitOK, status, p.complaints())
		got := lastLine(t, rest)
		got.Elapsed = 0
		want.Name, want.State = "job", states.Succeeded
		require.Equal(t, want, got)
		tr.RequireEqual()
	}
}

// Three workers share a job; one of them is killed while it holds tasks.
func TestACopyIsWholeAndItsFiguresExactThoughAWorkerIsKilled(t *testing.T) {
	server := redistest.Start(t, nil)
	binary := build(t)
	tr := newTrees(t)
	count, size := tr.fill(300)
	workers := make([]*process, 3)
	for i := range workers {
		workers[i] = launch(t, binary, "worker", "-store", server.URL(), "-workers", "2")
		require.Equal(t, "working\n", workers[i].line())
	}
	p := launch(
		t, binary, "start", "-store", server.URL(), "-src", tr.Src, "-dst", tr.Dst, "-files-per-task", "2", "-wait",
		"-json", "-name", "job",
	)
	require.Contains(t, p.line(), "job job: ")

	m, err := syncjob.Open(t.Context(), server.URL(), syncjob.Config{Namespace: namespace})
	require.NoError(t, err)
	defer m.Close()
	killWhileItHolds(t, m, workers[1])

	status, rest := p.end()
	require.Equal(t, exitOK, status, p.complaints())
	tr.RequireEqual()
	got := lastLine(t, rest)
	got.Elapsed = 0
	total := int64(2 + 10 + 300 + 300*5)
	require.Equal(t, outcome{
		Name: "job", State: states.Succeeded, Total: total, Succeeded: total,
		files: files{Copied: count, Bytes: size},
	}, got)
	left, err := os.ReadDir(filepath.Dir(tr.Dst))
	require.NoError(t, err)
	require.Len(t, left, 2) // nothing beside the destination

	for _, i := range []int{0, 2} {
		workers[i].signal(syscall.SIGTERM)
		status, _ := workers[i].end()
		require.Equal(t, exitOK, status, workers[i].complaints())
	}
}

// killWhileItHolds kills a worker at a moment when tasks are leased to it, with the run under way.
func killWhileItHolds(t *testing.T, m *syncjob.Manager, victim *process) {
	t.Helper()
	run, err := m.Latest(t.Context(), "job")
	require.NoError(t, err)
	for s, err := range run.Watch(t.Context()) {
		require.NoError(t, err)
		if s.Counts.Succeeded > 0 {
			break
		}
	}
	for {
		// It is stopped first: what it holds then, it holds when it is killed.
		victim.signal(syscall.SIGSTOP)
		if held(t, m, victim.cmd.Process.Pid) > 0 {
			victim.signal(syscall.SIGKILL)
			status, _ := victim.end()
			require.Equal(t, -1, status)
			return
		}
		victim.signal(syscall.SIGCONT)
		s, err := run.State(t.Context())
		require.NoError(t, err)
		require.False(t, s.Status.Final(), "the run ended before the worker held a task")
	}
}

func held(t *testing.T, m *syncjob.Manager, pid int) int {
	t.Helper()
	list, err := m.Workers(t.Context())
	require.NoError(t, err)
	for _, w := range list {
		if w.PID == pid {
			return w.Held
		}
	}
	return 0
}

func TestJobsOnRedisAreOperatedFromOtherProcesses(t *testing.T) {
	server := redistest.Start(t, nil)
	binary := build(t)
	tr := newTrees(t)
	tr.Write("file", "x", 0o644)
	operate := func(args ...string) (status int, stdout string) {
		status, stdout, stderr := command(t.Context(), append(args, "-store", server.URL())...)
		for _, expected := range []string{"starting: 0 of 1 tasks\n", "ingest watch: the run did not succeed\n"} {
			stderr = strings.ReplaceAll(stderr, expected, "")
		}
		require.Empty(t, stderr)
		return status, stdout
	}
	status, stdout := operate("start", "-src", tr.Src, "-dst", tr.Dst, "-name", "a job")
	require.Equal(t, exitOK, status)
	require.Equal(t, fmt.Sprintf("job a job: %s to %s\n", tr.Src, tr.Dst), stdout)

	status, _, stderr := command(t.Context(), "start", "-src", tr.Src, "-name", "a job", "-store", server.URL())
	require.Equal(t, exitFailed, status)
	require.Contains(t, stderr, `job "a job" already has the active run`)

	_, stdout = operate("list")
	require.Regexp(t, `(?m)^single-pass +a job +starting +1 +1 +0 +0 `, stdout)
	_, stdout = operate("explain", "a job")
	require.Contains(t, stdout, `run`)
	require.Contains(t, stdout, "no live worker serves")

	_, stdout = operate("list", "-json")
	var listed map[string]any
	require.NoError(t, json.Unmarshal([]byte(stdout), &listed))
	require.Equal(t, "single-pass", listed["group"])
	require.EqualValues(t, 1, listed["remaining"])
	require.EqualValues(t, 1, listed["total"])
	started, err := time.Parse(time.RFC3339, fmt.Sprint(listed["started"]))
	require.NoError(t, err)
	require.WithinDuration(t, time.Now(), started, time.Minute)

	// Interrupted watching leaves the job alone.
	p := launch(t, binary, "watch", "a job", "-store", server.URL())
	<-p.spoke
	p.signal(syscall.SIGINT)
	status, _ = p.end()
	require.Equal(t, exitOK, status, p.complaints())
	_, stdout = operate("list", "-json")
	require.Equal(t, states.Starting, lastLine(t, stdout).State)

	status, stdout = operate("stop", "a job", "-json")
	require.Equal(t, exitOK, status)
	require.Equal(t, states.Stopped, lastLine(t, stdout).State)
	_, stdout = operate("list")
	require.Regexp(t, `(?m)^stopped +a job +stopped +1 +0 `, stdout)
	status, stdout = operate("watch", "a job", "-json")
	require.Equal(t, exitFailed, status)
	require.Equal(t, states.Stopped, lastLine(t, stdout).State)
	require.NoDirExists(t, tr.Dst)

	status, _, stderr = command(t.Context(), "stop", "another", "-store", server.URL())
	require.Equal(t, exitFailed, status)
	require.Contains(t, stderr, "job not found")
}

func TestFailedTasksAreListedAndRunAgain(t *testing.T) {
	server := redistest.Start(t, nil)
	tr := newTrees(t)
	count, size := tr.fill(3)
	full := true
	var hooks handlers.EventHooks
	hooks.After = func(_ context.Context, e handlers.Event) error {
		if full && e.Name == mirror.FileCreate {
			return handlers.Permanent(errors.New("no space left"))
		}
		return nil
	}
	registry, err := mirror.NewRegistry(mirror.Config{Hooks: hooks})
	require.NoError(t, err)
	m, err := syncjob.Open(t.Context(), server.URL(), syncjob.Config{Registry: registry, Namespace: namespace})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, m.Close()) })
	w, err := m.NewWorker(syncjob.WorkerConfig{Concurrency: 1})
	require.NoError(t, err)
	work := func() {
		_, err := w.RunOnce(t.Context())
		require.NoError(t, err)
	}
	operate := func(args ...string) string {
		status, stdout, stderr := command(t.Context(), append(args, "-store", server.URL())...)
		require.Equal(t, exitOK, status, stderr)
		return stdout
	}
	operate("start", "-src", tr.Src, "-dst", tr.Dst, "-name", "a")
	work()
	listed := operate("failures", "a")
	require.Regexp(t, `^TASK +KIND +ATTEMPTS +WORKER +WHEN +ERROR\n`, listed)
	require.Equal(t, 3, strings.Count(listed, "no space left"), listed)
	require.Equal(t, 3, strings.Count(operate("failures", "a", "-json"), "\n"))

	full = false
	require.Contains(t, operate("redrive", "a"), ": 3 tasks of run ")
	require.Contains(t, operate("redrive", "a"), ": 3 tasks of run ", "again, it goes on")
	work()
	got := lastLine(t, operate("watch", "a", "-json"))
	require.EqualValues(t, 3, got.Succeeded)
	require.Equal(t, files{Copied: count, Bytes: size}, got.files)
	tr.RequireEqual()
	status, _, stderr := command(t.Context(), "redrive", "a", "-store", server.URL())
	require.Equal(t, exitFailed, status)
	require.Contains(t, stderr, "no failed task to redrive")
}

func TestAnInterruptedStartStopsItsRunOnRedis(t *testing.T) {
	server := redistest.Start(t, nil)
	tr := newTrees(t)
	p := launch(t, build(t), "start", "-store", server.URL(), "-src", tr.Src, "-dst", tr.Dst, "-json", "-name", "job")
	require.Contains(t, p.line(), "job job: ")
	p.signal(syscall.SIGINT)
	status, rest := p.end()
	require.Equal(t, exitFailed, status, p.complaints())
	require.Equal(t, states.Stopped, lastLine(t, rest).State)
}

func TestStartCanWorkForItsJobOnRedis(t *testing.T) {
	server := redistest.Start(t, nil)
	tr := newTrees(t)
	tr.Write("file", "x", 0o644)
	status, _, stderr := command(
		context.WithoutCancel(t.Context()), "start", "-store", server.URL(), "-src", tr.Src, "-dst", tr.Dst, "-workers",
		"2",
	)
	require.Equal(t, exitOK, status, stderr)
	tr.RequireEqual()
}

func TestACopyIsWholeAndItsFiguresExactThoughRepliesAreLost(t *testing.T) {
	server := redistest.Start(t, nil)
	proxy := redistest.NewProxy(t, server.Addr)
	tr := newTrees(t)
	count, size := tr.fill(60)
	proxy.Inject(redistest.Fault{Kind: redistest.Swallow, Every: 20})
	status, stdout, stderr := command(
		t.Context(), "start", "-store", proxy.URL(), "-src", tr.Src, "-dst", tr.Dst, "-workers", "4", "-files-per-task",
		"3", "-json",
	)
	require.Equal(t, exitOK, status, stderr)
	require.Positive(t, proxy.Injected())
	tr.RequireEqual()
	got := lastLine(t, stdout)
	require.Equal(t, files{Copied: count, Bytes: size}, got.files)
	require.EqualValues(t, 2+10+60+60*4, got.Total)
	require.Equal(t, got.Total, got.Succeeded)
}
