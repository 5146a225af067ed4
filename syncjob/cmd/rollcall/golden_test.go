package main

import (
	"bytes"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"
	"unicode/utf8"

	"github.com/stretchr/testify/require"

	"github.com/rollcall-go/rollcall/internal/scene"
	"github.com/rollcall-go/rollcall/syncjob"
)

var update = flag.Bool("update", false, "write the files in testdata anew")

// wide is how many columns the terminal has.
const wide = 80

// pictures are what people see who type these lines, by the name of a file.
var pictures = map[string][]string{
	"see":    {"jobs", "job import/7", "job nightly", "runs", "runs import/7", "run import/7", "schedules"},
	"run":    {"explain busy", "timeline import/8"},
	"tasks":  {"tasks busy", "task busy runs", "task busy flaky", "task busy late", "failures", "failures import/7", "failures --groups"},
	"queues": {"queues", "activity", "activity --times", "activity --last 72h --queue gpu", "workers", "workers --lost", "sets", "pauses", "limits", "semaphores", "values", "mode"},
	"audit":  {"history tree", "audit", "audit busy", "configure tree", "check", "wait import/7"},
	"help":   {"help", "help jobs"},
}

// Each command prints, of one fixed store, what a file in testdata says, which was read by a person.
// Write the files anew with go test -update, and read the difference.
func TestCommandsPrintWhatTheirFilesSay(t *testing.T) {
	zone := time.Local
	time.Local = time.UTC
	defer func() { time.Local = zone }()
	synctest.Test(t, func(t *testing.T) {
		f := scene.NewFixed(t)
		typed := func(line string) string {
			m, err := syncjob.New(f.Store, syncjob.Config{})
			require.NoError(t, err)
			var out bytes.Buffer
			a := &app{streams: streams{strings.NewReader(""), &out, &out}, m: m, columns: wide}
			a.execute(t.Context(), strings.Fields(line))
			return out.String()
		}
		for name, lines := range pictures {
			var b strings.Builder
			for _, line := range lines {
				b.WriteString("$ rollcall " + line + "\n" + typed(line) + "\n")
			}
			same(t, name, b.String())
		}
		var screen bytes.Buffer
		require.NoError(t, (&app{m: f.M, columns: wide}).draw(t.Context(), &screen))
		same(t, "watch", screen.String())
	})
}

// same compares a picture with its file, and checks that a terminal of 80 columns shows it in order.
func same(t *testing.T, name, got string) {
	t.Helper()
	file := filepath.Join("testdata", name+".txt")
	if *update {
		require.NoError(t, os.MkdirAll(filepath.Dir(file), 0o755))
		require.NoError(t, os.WriteFile(file, []byte(got), 0o644))
	}
	want, err := os.ReadFile(file)
	require.NoError(t, err)
	for line := range strings.Lines(got) {
		prose := strings.Contains(line, "run ") || strings.Contains(line, "tasks of") // of explain
		require.True(t, prose || utf8.RuneCountInString(line) <= wide+1, "%s: wider than the terminal: %s", file, line)
	}
	require.Equal(t, string(want), got, "%s: run go test -update", file)
}
