package eventhandler

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/rollcall-go/rollcall/examples/ingest/command"
	"github.com/rollcall-go/rollcall/examples/ingest/mirror"
	"github.com/rollcall-go/rollcall/handlers"
	"github.com/rollcall-go/rollcall/internal/redistest"
	"github.com/rollcall-go/rollcall/syncjob"
	"github.com/rollcall-go/rollcall/syncjob/states"
)

// kit is a pair of trees and a program with scripts.
type kit struct {
	*testing.T
	src, dst string
	config   mirror.Config
}

func newKit(t *testing.T) *kit {
	dir := t.TempDir()
	return &kit{t, filepath.Join(dir, "src"), filepath.Join(dir, "dst"), Config()}
}

// write makes a file of the source.
func (k *kit) write(rel string) {
	path := filepath.Join(k.src, rel)
	require.NoError(k, os.MkdirAll(filepath.Dir(path), 0o755))
	require.NoError(k, os.WriteFile(path, []byte(rel), 0o600))
}

// script makes a file with a script.
func (k *kit) script(text string) string {
	path := filepath.Join(k.TempDir(), "handler.star")
	require.NoError(k, os.WriteFile(path, []byte(text), 0o600))
	return path
}

// run runs a command.
func (k *kit) run(args ...string) (status int, printed string) {
	var out bytes.Buffer
	status = command.Run(k.Context(), args, &out, &out, k.config)
	return status, out.String()
}

// copied lists the files of the destination, with their contents.
func (k *kit) copied() map[string]string {
	found := make(map[string]string)
	require.NoError(k, filepath.WalkDir(k.dst, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		content, err := os.ReadFile(path)
		rel, _ := filepath.Rel(k.dst, path)
		found[rel] = string(content)
		return err
	}))
	return found
}

const first = `
def include(path):
  return not path.endswith(".tmp") and path != "private/"

def target_path(path):
  return path if path.startswith("c") else path.lower()

def pre_file_create(event):
  if event.data["path"].endswith("/refused"):
    fail("no such files here")

def post_file_create(event):
  counter("noted")
`

func TestAScriptFiltersRenamesAndHooks(t *testing.T) {
	k := newKit(t)
	for _, name := range []string{"A/Photo.JPG", "A/b.tmp", "private/key", "Refused", "c\xff", "private.txt"} {
		k.write(name)
	}
	start := []string{"start", "-src", k.src, "-dst", k.dst, "-json", "-delete", "delete", "-event-handler", k.script(first)}
	status, out := k.run(start...)
	require.Zero(t, status, out)
	want := map[string]string{"a/photo.jpg": "A/Photo.JPG", "c\xff": "c\xff", "private.txt": "private.txt"}
	require.Equal(t, want, k.copied())
	require.Contains(t, out, "no such files here")
	require.Contains(t, out, `"files_copied":3`)

	require.NoError(t, os.RemoveAll(filepath.Join(k.src, "A")))
	k.write("private.TXT")
	status, out = k.run(start...)
	require.Zero(t, status, out)
	require.Contains(t, out, `"files_deleted":1`)
	require.Contains(t, out, "has the same name in the destination as another entry")
	require.Equal(t, map[string]string{"c\xff": "c\xff", "private.txt": "private.txt"}, k.copied())
}

func TestAScriptThatIsNotValidIsRefusedWithItsPlace(t *testing.T) {
	k := newKit(t)
	k.write("a")
	for text, reason := range map[string]string{
		"def include(path)\n  return True": "does not compile: 2:1",
		"def includes(path):\n  return 1":  "includes",
		strings.Repeat("# much\n", 40_000): "which is more than 65536",
	} {
		status, out := k.run("start", "-src", k.src, "-dst", k.dst, "-event-handler", k.script(text))
		require.Equal(t, 2, status, out)
		require.Contains(t, out, "-event-handler: ")
		require.Contains(t, out, reason)
		require.NoDirExists(t, k.dst)
	}
	status, out := k.run("start", "-src", k.src, "-dst", k.dst, "-event-handler", filepath.Join(k.src, "none"))
	require.Equal(t, 2, status, out)

	// A path that leaves its directory, and a result of another type.
	for text, reason := range map[string]string{
		"def target_path(path):\n  return \"x/\" + path": `target_path: \"x/a\" is in another directory`,
		"def target_path(path):\n  return 7":             "not string",
		"def include(path):\n  return 1 // 0":            "by zero",
	} {
		status, out := k.run("start", "-src", k.src, "-dst", k.dst, "-event-handler", k.script(text), "-retries", "0", "-json")
		require.Equal(t, 1, status, out)
		require.Contains(t, out, reason)
		require.Empty(t, k.copied())
	}
	k.config.NewSet = nil
	status, out = k.run("start", "-src", k.src, "-event-handler", k.script(first))
	require.Equal(t, 2, status, out)
	require.Contains(t, out, "event-handler", "only a program with scripts has the flag")
}

const second = `
def include(path):
  return not path.endswith(".tmp") and not path.endswith(".bak") and path != "private/"

def target_path(path):
  return path if path.endswith("/") else path + ".new"

def post_file_create(event):
  counter("noted", 1000)
`

// The script is replaced amid a sync of 40 directories with a file of each sort. From then on every
// attempt obeys: directories that were scanned before have the names of the first script, others
// those of the second, and a sync with the second alone corrects what is left of the first.
func TestTheScriptChangesWhileTheSyncRuns(t *testing.T) {
	server := redistest.Start(t, nil)
	k := newKit(t)
	for dir := range 40 {
		for _, name := range []string{"A", "B.bak", "C.tmp"} {
			k.write(fmt.Sprintf("D%d/%s", dir, name))
		}
	}
	k.write("private/key")
	store, name := []string{"-store", server.URL()}, "sync"
	begin := append([]string{"start", "-src", k.src, "-dst", k.dst, "-name", name, "-delete", "delete"}, store...)
	status, out := k.run(append(begin, "-event-handler", k.script(first))...)
	require.Zero(t, status, out)

	// Half of the scans begin with the first script. The others wait for the change.
	var scans atomic.Int64
	changed, half := make(chan struct{}), make(chan struct{})
	var before atomic.Value // the first script, as attempts see it
	k.config.Middleware = []handlers.Middleware{func(next handlers.Handler) handlers.Handler {
		return func(ctx context.Context, a *handlers.Attempt) error {
			before.CompareAndSwap(nil, a.Script())
			if a.Kind == "scan" {
				if n := scans.Add(1); n == 20 {
					close(half)
				} else if n > 20 {
					<-changed
				}
			}
			select {
			case <-changed:
				if a.Script() == before.Load() {
					return handlers.Snooze(20 * time.Millisecond) // until this process knows
				}
			default:
			}
			return next(ctx, a)
		}
	}}
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan string, 1)
	var log bytes.Buffer
	go func() {
		command.Run(ctx, append([]string{"worker", "-workers", "4"}, store...), io.Discard, &log, k.config)
		ended <- log.String()
	}()
	<-half
	other := newKit(t) // another process
	status, out = other.run(append([]string{"configure", name, "-event-handler", k.script(second), "-reason", "newer"}, store...)...)
	require.Zero(t, status, out)
	close(changed)

	registry, err := mirror.NewRegistry(Config())
	require.NoError(t, err)
	m, err := syncjob.Open(t.Context(), server.URL(), syncjob.Config{Namespace: "ingest", Registry: registry})
	require.NoError(t, err)
	defer m.Close()
	run, err := m.Latest(t.Context(), name)
	require.NoError(t, err)
	final, err := run.Wait(t.Context())
	require.NoError(t, err)
	require.Equal(t, states.Succeeded, final.Status, final.LastError)
	require.Zero(t, mirror.Counted(final.Counters).Failed)

	old, now := make(map[string]bool), make(map[string]bool)
	for path, content := range k.copied() {
		dir, file := filepath.Split(path)
		switch file {
		case "a", "b.bak":
			old[dir] = true
		case "A.new":
			now[dir] = true
		default:
			require.Fail(t, "nobody names a file so", "%s of %s", path, content)
		}
	}
	require.NotEmpty(t, now)
	require.LessOrEqual(t, len(old), 19, "the first scan of all is that of the root")
	require.Positive(t, final.Counters["noted"], "%v", final.Counters)

	history, err := m.History(t.Context(), mirror.SetName, &syncjob.ConfigurationOptions{Run: run})
	require.NoError(t, err)
	require.Equal(t, "newer", history[0].Reason)
	require.Contains(t, history[0].By, "@")
	require.Equal(t, first, history[0].Before.Set.Script)

	told := make(map[string]string)
	for line, err := range m.Audit(t.Context(), nil) {
		require.NoError(t, err)
		require.Equal(t, history[0].By, line.By)
		told[string(line.Action)] = line.Reason
	}
	require.Equal(t, "ingest start", told["start"], told)
	require.Equal(t, "newer", told["configure"], told)

	status, out = k.run(append(begin, "-event-handler", k.script(second), "-wait")...)
	require.Zero(t, status, out)
	want := make(map[string]string)
	for dir := range 40 {
		want[fmt.Sprintf("D%d/A.new", dir)] = fmt.Sprintf("D%d/A", dir)
	}
	require.Equal(t, want, k.copied())
	stop()
	require.NotContains(t, <-ended, "ERROR")
}
