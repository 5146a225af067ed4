package command

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/rollcall-go/rollcall/handlers"
	"github.com/rollcall-go/rollcall/internal/redistest"
	"github.com/rollcall-go/rollcall/syncjob"
)

// With the memory store, each start is a process that knows nothing of those before.
func TestWhatAnotherProcessPutThereIsDeleted(t *testing.T) {
	tr := newTrees(t)
	tr.Write("dir/gone", "x", 0o644)
	tr.Write("stays", "x", 0o644)
	start := func(args ...string) (files, string) {
		status, stdout, stderr := command(t.Context(), append([]string{"start", "-src", tr.Src, "-dst", tr.Dst, "-json"}, args...)...)
		require.Equal(t, exitOK, status, stderr)
		return lastLine(t, stdout).files, stdout
	}
	trash := filepath.Join(filepath.Dir(tr.Src), "trash")
	start("-delete", "delete")
	require.NoError(t, os.RemoveAll(filepath.Join(tr.Src, "dir")))
	got, printed := start("-delete", "delete", "-dry-run")
	require.Equal(t, files{Unchanged: 1, Deleted: 1}, got)
	require.Contains(t, printed, `to delete: "`+tr.Dst+`/dir/gone"`)
	require.Contains(t, printed, `to delete: "`+tr.Dst+`/dir/"`)
	require.NotContains(t, printed, "more")
	require.Contains(t, printed, "; a dry run changes nothing")
	require.FileExists(t, filepath.Join(tr.Dst, "dir/gone"))
	got, printed = start("-delete", "trash", "-trash", trash)
	require.Equal(t, files{Unchanged: 1, Deleted: 1}, got)
	require.Contains(t, printed, "1 deleted")
	require.NotContains(t, printed, "dry run")
	tr.RequireEqual()
	moved, err := filepath.Glob(filepath.Join(trash, "*/dir/gone"))
	require.NoError(t, err)
	require.Len(t, moved, 1)
}

func TestADryRunSaysHowManyMoreItWouldDelete(t *testing.T) {
	tr := newTrees(t)
	for i := range 103 {
		tr.Write(fmt.Sprintf("gone/%d", i), "x", 0o644)
	}
	args := []string{"start", "-src", tr.Src, "-dst", tr.Dst, "-delete", "delete"}
	command(t.Context(), args...)
	require.NoError(t, os.RemoveAll(filepath.Join(tr.Src, "gone")))
	_, printed, _ := command(t.Context(), append(args, "-dry-run")...)
	require.Equal(t, 100, strings.Count(printed, "to delete: "))
	require.Contains(t, printed, "and 4 more: to delete", "one line is that of the directory")
}

func TestCharactersAreGivenByAFlag(t *testing.T) {
	tr := newTrees(t)
	tr.Write("a:b=c", "x", 0o644)
	status, _, stderr := command(
		t.Context(), "start", "-src", tr.Src, "-dst", tr.Dst, "-character-map", ":?=_", "-character-map", "==-",
	)
	require.Equal(t, exitOK, status, stderr)
	require.FileExists(t, filepath.Join(tr.Dst, "a_b-c"))
}

func TestOperationsAreGivenByAFlag(t *testing.T) {
	tr := newTrees(t)
	tr.Write("log", "begin", 0o644)
	run := func(operation string) files {
		status, stdout, stderr := command(
			t.Context(), "start", "-src", tr.Src, "-dst", tr.Dst, "-json", "-operation", operation,
		)
		require.Equal(t, exitOK, status, stderr)
		return lastLine(t, stdout).files
	}
	require.Equal(t, files{Copied: 1, Bytes: 5}, run("none"))
	require.NoDirExists(t, tr.Dst)
	require.Equal(t, files{Copied: 1, Bytes: 5}, run("put"))
	tr.Write("log", "begin and more", 0o644)
	require.Equal(t, files{Unchanged: 1}, run("put"))
	require.Equal(t, files{Copied: 1, Bytes: 9}, run("append"))
	tr.RequireEqual()
	require.Equal(t, files{Unchanged: 1}, run("sync"))
}

func TestALogThatIsFullBeginsAnew(t *testing.T) {
	path := filepath.Join(t.TempDir(), "log")
	for range 2 { // the second process goes on in the file of the first
		log, err := newRotating(path, 100)
		require.NoError(t, err)
		for i := range 20 {
			n, err := log.Write([]byte(fmt.Sprintf("%029d\n", i)))
			require.NoError(t, err)
			require.Equal(t, 30, n)
		}
		_, err = log.Write([]byte(strings.Repeat("x", 150) + "\n"))
		require.NoError(t, err)
		require.NoError(t, log.Close())
	}
	found, err := filepath.Glob(path + "*")
	require.NoError(t, err)
	require.ElementsMatch(t, []string{path, path + ".1", path + ".2", path + ".3", path + ".4"}, found)
	for _, name := range found {
		content, err := os.ReadFile(name)
		require.NoError(t, err)
		require.True(t, strings.HasSuffix(string(content), "\n"))
		require.True(t, len(content) <= 100 || strings.Count(string(content), "\n") == 1, name)
	}
}

func TestALogThatCannotBeRenamedGoesOn(t *testing.T) {
	path := filepath.Join(t.TempDir(), "log")
	for n := 1; n <= oldLogs; n++ {
		require.NoError(t, os.MkdirAll(fmt.Sprintf("%s.%d/full", path, n), 0o755))
	}
	log, err := newRotating(path, 10)
	require.NoError(t, err)
	for range 3 {
		_, err = log.Write([]byte("12345678\n"))
		require.NoError(t, err)
	}
	require.NoError(t, log.Close())
	content, err := os.ReadFile(path)
	require.NoError(t, err)
	require.Len(t, content, 27)
}

func TestAttributesAreThoseThatWereGiven(t *testing.T) {
	parsed := func(args ...string) (a handlers.Attributes) {
		f, err := tool{}.parseStart(append([]string{"-src", "."}, args...), streams{})
		require.NoError(t, err)
		f.attributes.apply(&a)
		return a
	}
	require.Zero(t, parsed())
	require.Equal(t, handlers.Attributes{MaxRetries: 5, Timeout: time.Minute}, parsed("-retries", "5", "-timeout", "1m"))
	require.Equal(t, handlers.Attributes{
		MaxRetries: handlers.NoRetries, Timeout: handlers.NoTimeout, Backoff: handlers.Exponential{First: handlers.NoDelay, Cap: time.Minute},
	}, parsed("-retries", "0", "-timeout", "0", "-delay", "0"))
	require.Equal(t, time.Hour, parsed("-delay", "1h").Backoff.Cap)
}

func TestAttributesOfARunAreConfiguredWhileItRuns(t *testing.T) {
	server := redistest.Start(t, nil)
	tr := newTrees(t)
	operate := func(args ...string) {
		status, _, stderr := command(t.Context(), append(args, "-store", server.URL())...)
		require.Equal(t, exitOK, status, stderr)
	}
	operate("start", "-src", tr.Src, "-dst", tr.Dst, "-name", "a", "-retries", "7")
	operate("configure", "a", "-timeout", "90s")
	m, err := syncjob.Open(t.Context(), server.URL(), syncjob.Config{Namespace: namespace})
	require.NoError(t, err)
	defer func() { require.NoError(t, m.Close()) }()
	run, err := m.Latest(t.Context(), "a")
	require.NoError(t, err)
	c, err := m.Configuration(t.Context(), "ingest", &syncjob.ConfigurationOptions{Run: run})
	require.NoError(t, err)
	require.Equal(t, 7, c.Configuration.Set.MaxRetries)
	require.Equal(t, 90*time.Second, c.Configuration.Set.Timeout)
	refused := func(name, why string) {
		status, _, stderr := command(t.Context(), "configure", name, "-retries", "7", "-store", server.URL())
		require.Equal(t, exitFailed, status)
		require.Contains(t, stderr, why)
	}
	refused("b", "not found")
	operate("stop", "a")
	refused("a", "no run of job a is active")
}

// The table of options in the program's documentation has all flags, and no other ones.
func TestEachFlagIsInTheTableOfOptions(t *testing.T) {
	text, err := os.ReadFile("../main.go")
	require.NoError(t, err)
	_, table, found := strings.Cut(string(text), "# What the options")
	require.True(t, found)
	flags := regexp.MustCompile(`[ (]-([a-z][a-z-]*)`)
	inTable := map[string]bool{"src": true, "dst": true, "store": true, "event-handler": true} // the last one is in cloud
	for _, match := range flags.FindAllStringSubmatch(table, -1) {
		inTable[match[1]] = true
	}
	_, _, help := command(t.Context(), "start", "-h")
	for _, match := range regexp.MustCompile(`(?m)^  -([a-z-]+)`).FindAllStringSubmatch(help, -1) {
		require.Contains(t, inTable, match[1])
		delete(inTable, match[1])
	}
	require.Equal(t, map[string]bool{"event-handler": true}, inTable, "flags of no command")
}
