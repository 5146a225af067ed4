package command

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/rollcall-go/rollcall/examples/ingest/mirror"
	"github.com/rollcall-go/rollcall/handlers"
	"github.com/rollcall-go/rollcall/syncjob"
	"github.com/rollcall-go/rollcall/syncjob/states"
)

// transcript is what a program prints, on whichever goroutine.
type transcript struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (t *transcript) Write(p []byte) (int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.text.Write(p)
}

func (t *transcript) String() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.text.String()
}

// command runs the program in this process.
func command(ctx context.Context, args ...string) (status int, stdout, stderr string) {
	var out, errs transcript
	status = tool{}.run(ctx, args, streams{&out, &errs})
	return status, out.String(), errs.String()
}

// lastLine decodes the JSON object that ends the output.
func lastLine(t *testing.T, stdout string) outcome {
	t.Helper()
	all := strings.Split(strings.TrimSpace(stdout), "\n")
	var o outcome
	require.NoError(t, json.Unmarshal([]byte(all[len(all)-1]), &o), stdout)
	return o
}

func mustJSON(t *testing.T, v any) []byte {
	t.Helper()
	text, err := json.Marshal(v)
	require.NoError(t, err)
	return text
}

func TestStartOnMemoryWaitsAndTells(t *testing.T) {
	tr := newTrees(t)
	tr.Write("dir/file", "content", 0o644)
	status, stdout, _ := command(t.Context(), "start", "-src", tr.Src, "-dst", tr.Dst, "-name", "import/1", "-json")
	require.Equal(t, exitOK, status)
	tr.RequireEqual()
	require.Contains(t, stdout, "job import/1: "+tr.Src+" to "+tr.Dst)
	o := lastLine(t, stdout)
	o.Elapsed = 0
	require.Equal(t, outcome{
		Name: "import/1", State: states.Succeeded, Total: 4, Succeeded: 4,
		files: files{Copied: 1, Bytes: 7},
	}, o)
	left, err := os.ReadDir(filepath.Dir(tr.Dst))
	require.NoError(t, err)
	require.Len(t, left, 2) // the source and the destination
}

func TestTheJSONObjectHasEveryFigure(t *testing.T) {
	var object map[string]any
	require.NoError(t, json.Unmarshal(mustJSON(t, newOutcome(states.Run{})), &object))
	for _, key := range strings.Fields("name state total succeeded failed retried cancelled files_copied files_unchanged files_failed bytes elapsed_ms") {
		require.Contains(t, object, key)
		delete(object, key)
	}
	require.Empty(t, object)
}

func TestTheHelpSaysWhereExcludesMatch(t *testing.T) {
	_, _, help := command(t.Context(), "start", "-h")
	require.Contains(t, help, "is searched for anywhere in the full path")
	require.Contains(t, help, "Anchor it with ^ and $")

	tr := newTrees(t)
	for _, name := range []string{"node", "nodes", "a.go", "a.gob", "sub/node/x", "sub/nodes/x"} {
		if filepath.Ext(name) == "" && filepath.Dir(name) == "." {
			name += "/x"
		}
		tr.Write(name, "x", 0o644)
	}
	for _, c := range []struct {
		flag, expression string
		want             int64
	}{
		{"-exclude-dir", "node", 2}, {"-exclude-dir", "/node$", 4}, {"-exclude-dir", "^node$", 6}, {"-exclude-dir", "^" + tr.Src + "/node$", 5},
		{"-exclude-name", `\.go`, 4}, {"-exclude-name", `\.go$`, 5}, {"-exclude-name", "/x$", 2}, {"-exclude-name", "src/", 0},
	} {
		status, stdout, _ := command(
			t.Context(), "start", "-src", tr.Src, "-dst", filepath.Join(t.TempDir(), "dst"), "-json", c.flag, c.expression,
		)
		require.Equal(t, exitOK, status)
		require.Equal(t, c.want, lastLine(t, stdout).Copied, c.expression)
	}
}

func TestStartMakesUpWhatIsNotGiven(t *testing.T) {
	tr := newTrees(t)
	tr.Write("file", "x", 0o644)
	t.Setenv("TMPDIR", t.TempDir())
	status, stdout, _ := command(t.Context(), "start", "-src", tr.Src)
	require.Equal(t, exitOK, status)
	line, _, _ := strings.Cut(stdout, "\n")
	head, dst, found := strings.Cut(line, " to ")
	require.True(t, found)
	require.True(t, strings.HasPrefix(head, "job ingest-"), head)
	tr.Dst = dst
	tr.RequireEqual()
}

func TestStrictFailsForAFile(t *testing.T) {
	tr := newTrees(t)
	require.NoError(t, syscall.Mkfifo(filepath.Join(tr.Src, "pipe"), 0o600))
	status, stdout, _ := command(t.Context(), "start", "-src", tr.Src, "-dst", tr.Dst)
	require.Equal(t, exitOK, status)
	require.Contains(t, stdout, `failed: "`+tr.Src+`/pipe"`)
	status, _, _ = command(t.Context(), "start", "-src", tr.Src, "-dst", tr.Dst, "-strict")
	require.Equal(t, exitFailed, status)
}

func TestARunThatFailsIsNoSuccess(t *testing.T) {
	tr := newTrees(t)
	status, stdout, _ := command(t.Context(), "start", "-src", filepath.Join(tr.Src, "missing"), "-dst", tr.Dst, "-json")
	require.Equal(t, exitFailed, status)
	require.Equal(t, states.Failed, lastLine(t, stdout).State)
	require.Contains(t, stdout, "no such file or directory")
}

func TestQueuesCanBeRenamedAndTasksProfiled(t *testing.T) {
	tr := newTrees(t)
	tr.Write("file", "x", 0o644)
	file := filepath.Join(t.TempDir(), "profile")
	status, _, stderr := command(t.Context(), "start", "-src", tr.Src, "-dst", tr.Dst, "-profile", file,
		"-restart-queue", "r", "-path-queue", "p", "-file-queue", "f", "-workers", "2", "-files-per-task", "1")
	require.Equal(t, exitOK, status, stderr)
	text, err := os.ReadFile(file)
	require.NoError(t, err)
	var seen []string
	host, err := os.Hostname()
	require.NoError(t, err)
	for _, line := range strings.Split(strings.TrimSpace(string(text)), "\n") {
		var p profileLine
		require.NoError(t, json.Unmarshal([]byte(line), &p))
		require.Empty(t, p.Error)
		require.Equal(t, host, p.Host)
		require.Equal(t, os.Getpid(), p.Process)
		require.WithinDuration(t, time.Now(), p.Time, time.Minute)
		seen = append(seen, p.Event+" "+p.Kind+" on "+p.Queue)
	}
	require.Equal(t, []string{
		"start sync on r", "end sync on r", "start scan on p", "end scan on p", "start files on f", "end files on f",
	}, seen)
}

func TestTheLogGoesToAFile(t *testing.T) {
	tr := newTrees(t)
	tr.Write("file", "x", 0o644)
	file := filepath.Join(t.TempDir(), "log")
	status, _, _ := command(t.Context(), "start", "-src", tr.Src, "-dst", tr.Dst, "-log-level", "debug", "-log-file", file)
	require.Equal(t, exitOK, status)
	text, err := os.ReadFile(file)
	require.NoError(t, err)
	require.Contains(t, string(text), "msg=changed event=file.create path="+filepath.Join(tr.Dst, "file"))
	require.Contains(t, string(text), "msg=synced")
}

func TestMisuseIsToldByItsFlag(t *testing.T) {
	status, _, stderr := command(t.Context())
	require.Equal(t, exitUsage, status)
	require.Contains(t, stderr, "ingest start")
	for line, want := range map[string]string{
		"frob":                                       `unknown command "frob"`,
		"start":                                      "-src: is missing",
		"start -src . extra":                         `unexpected argument "extra"`,
		"start -src . -frob":                         "-frob",
		"start -src . -interval 5":                   "-interval",
		"start -src . -interval 5ms":                 "-interval: is less than 1s",
		"start -src . -workers -1":                   "-workers: is not between",
		"start -src . -workers many":                 "-workers",
		"start -src . -files-per-task 0":             "-files-per-task: is not between 1 and 1000",
		"start -src . -files-per-task 1001":          "-files-per-task: is not between 1 and 1000",
		"start -src . -exclude-name (":               "-exclude-name: error parsing regexp",
		"start -src . -exclude-dir (":                "-exclude-dir: error parsing regexp",
		"start -src . -exclude-type file":            `-exclude-type: "file" is not one of block, character`,
		"start -src . -delete some":                  "-delete: \"some\" is not none, trash or delete",
		"start -src . -delete trash":                 "-trash: is missing",
		"start -src . -trash t":                      "-trash: is only for",
		"start -src . -operation move":               "-operation: \"move\" is not sync, put, append or none",
		"start -src . -operation put -delete delete": "-delete: delete does not go with the operation put: it never changes",
		"start -src . -operation put -ignore-cache":  "-ignore-cache: copies over every file",
		"start -src . -initial -operation append":    "-initial: looks at nothing",
		"start -src . -character-map ab":             "-character-map: is not of the form",
		"start -src . -character-map =b":             "-character-map: is not of the form",
		"start -src . -character-map a=/":            "-character-map: has a slash",
		"start -src . -retries -1":                   "-retries: is negative",
		"start -src . -retries many":                 "-retries",
		"start -src . -timeout -1s":                  "-timeout: is not 0",
		"start -src . -delay 1":                      "-delay",
		"start -src . -log-size 5":                   "-log-size: is a number of bytes, for a -log-file",
		"start -src . -log-size -5 -log-file l":      "-log-size: is a number",
		"configure a -store redis://x":               "give what to change",
		"configure a -retries 1":                     "-store: needs a Redis",
		"start -src . -log-level loud":               "-log-level",
		"start -src . -log-file /not/there":          "-log-file: open /not/there",
		"start -src . -profile /not/there":           "-profile: open /not/there",
		"start -src . -store ftp://x":                "-store: has a scheme",
		"start -src . -store ":                       "-store: is empty",
		"start -src . -file-queue a/b":               "-file-queue: may hold only",
		"start -src . -restart-queue a/b":            "-restart-queue: may hold only",
		"start -src . -name a\x00b":                  "-name: holds a control character",
		"start -src . -store redis://x -profile p":   "-profile: needs -workers",
		"worker":                    "-store: needs a Redis",
		"worker -store memory://":   "-store: needs a Redis",
		"worker -store redis://[":   "-store: does not parse",
		"list":                      "-store: needs a Redis",
		"watch -store redis://x":    "give one NAME, not 0",
		"stop a b -store redis://x": "give one NAME, not 2",
		"explain a":                 "-store: needs a Redis",
		"failures a":                "-store: needs a Redis",
		"redrive a":                 "-store: needs a Redis",
	} {
		t.Run(line, func(t *testing.T) {
			t.Setenv("TMPDIR", t.TempDir())
			status, stdout, stderr := command(t.Context(), strings.Split(line, " ")...)
			require.Equal(t, exitUsage, status, stderr)
			require.Contains(t, stderr, want)
			require.Empty(t, stdout)
			left, err := os.ReadDir(os.TempDir())
			require.NoError(t, err)
			require.Empty(t, left) // no destination was made
		})
	}
}

func TestEveryProblemIsTold(t *testing.T) {
	_, _, stderr := command(t.Context(), "start", "-workers", "-1", "-files-per-task", "0", "-exclude-type", "x")
	for _, flag := range []string{"-src", "-workers", "-files-per-task", "-exclude-type"} {
		require.Contains(t, stderr, flag+": ")
	}
}

func TestHelpIsNoError(t *testing.T) {
	for _, line := range []string{"help", "-h", "start -h", "worker -h", "list -h", "watch -h", "stop -h", "explain -h", "failures -h", "redrive -h"} {
		status, _, stderr := command(t.Context(), strings.Fields(line)...)
		require.Equal(t, exitOK, status, line)
		require.Contains(t, stderr, "ingest")
	}
}

func TestAServerThatIsNotThereIsAnError(t *testing.T) {
	status, _, stderr := command(t.Context(), "list", "-store", "redis://127.0.0.1:1")
	require.Equal(t, exitFailed, status)
	require.Contains(t, stderr, "refused")
}

// An interrupt while a file is copied: that file is completed, the rest is left.
func TestAnInterruptStopsARunInOrder(t *testing.T) {
	tr := newTrees(t)
	const files = 2000 // more than a worker fetches ahead, which may start until it hears of the stop
	for i := range files {
		tr.Write(fmt.Sprint(i), "x", 0o644)
	}
	ctx, interrupt := context.WithCancel(t.Context())
	var hooks handlers.EventHooks
	hooks.Before = func(ctx context.Context, e handlers.Event) error {
		if e.Name != mirror.FileCreate {
			return nil
		}
		interrupt()
		return untilStopping(ctx)
	}
	registry, err := mirror.NewRegistry(mirror.Config{Hooks: hooks})
	require.NoError(t, err)
	f, err := tool{}.parseStart([]string{"-src", tr.Src, "-dst", tr.Dst, "-json", "-workers", "1", "-files-per-task", "1"}, streams{})
	require.NoError(t, err)
	var out, told transcript
	err = f.run(ctx, syncjob.Config{Registry: registry}, streams{&out, &told})
	require.ErrorIs(t, err, errNotSucceeded)
	o := lastLine(t, out.String())
	require.Equal(t, states.Stopped, o.State)
	require.Positive(t, o.files.Copied, "what ran was let finish")
	require.Positive(t, o.Cancelled, "what waited never started")
	require.EqualValues(t, files, o.files.Copied+o.Cancelled, "and nothing is in between")
	require.Contains(t, told.String(), "stopping")
	left, err := os.ReadDir(filepath.Dir(tr.Dst))
	require.NoError(t, err)
	require.Len(t, left, 2)
}

// untilStopping waits, in a handler, until its run is being stopped.
func untilStopping(ctx context.Context) error {
	m, _ := syncjob.FromContext(ctx)
	a, _ := handlers.FromContext(ctx)
	id := a.Run.ID()
	for s, err := range m.Run(id.Job, id.Number).Watch(ctx) {
		if err != nil || s.Status == states.Stopping {
			return err
		}
	}
	return nil
}

func TestPlainProgressIsAtMostOneLineASecond(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var out bytes.Buffer
		l := &lines{out: &out}
		for range 40 {
			l.update(
				states.Run{
					Status: states.Running,
					Counts: states.Counts{Total: 9, Succeeded: 3},
					Rate:   2,
					ETA:    3 * time.Second,
				},
			)
			time.Sleep(250 * time.Millisecond)
		}
		require.Equal(t, strings.Repeat("running: 3 of 9 tasks, 0s elapsed, 2/s, ETA 3s\n", 10), out.String())
	})
}

func TestWhatTakesItsTimeIsNamed(t *testing.T) {
	reporting := []states.RunningTask{
		{Progress: states.Progress{Done: 1, Total: 4, Message: "dir/a.iso"}},
		{Progress: states.Progress{Done: 2, Message: "b"}},
	}
	require.Empty(t, doing(states.Run{}))
	require.Equal(t, ", copying dir/a.iso (25%) and 1 more", doing(states.Run{Reporting: reporting}))
	require.Equal(t, ", copying b", doing(states.Run{Reporting: reporting[1:]}))
}

func TestTheBarShowsCountsAndEndsItsLine(t *testing.T) {
	var out bytes.Buffer
	b := newBar(&out)
	b.update(
		states.Run{
			Status:  states.Running,
			Counts:  states.Counts{Total: 4, Succeeded: 2, Failed: 1},
			Retried: 7,
			Rate:    2,
			ETA:     time.Second,
		},
	)
	require.Contains(t, out.String(), "75%")
	require.Contains(t, out.String(), "running: 3 of 4 tasks, 1 failed, 7 retried, 0s elapsed, 2/s, ETA 1s")
	b.update(states.Run{Status: states.Succeeded, Counts: states.Counts{Total: 4, Succeeded: 4}})
	b.end()
	require.Contains(t, out.String(), "100%")
	require.True(t, strings.HasSuffix(out.String(), "\n"))
}
