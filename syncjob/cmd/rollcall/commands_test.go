package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"maps"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/stretchr/testify/require"

	"github.com/rollcall-go/rollcall/internal/scene"
	"github.com/rollcall-go/rollcall/syncjob"
)

// everyLine has a line for each command, in an order in which all of them work on the fixed store.
var everyLine = []string{
	"jobs", "job import/7", "runs", "run import/7", "explain busy", "timeline import/8", "tasks busy", "task busy flaky",
	"failures", "schedules", "queues", "activity", "workers", "sets", "pauses", "history tree", "audit", "semaphores", "limits",
	"values", "wait import/7", "watch import/7", "result import/7 file-d", "check", "acl", "mode",
	"start feed --set tree --open --key k", "enqueue feed --kind leaf --id later --delay 1h", "run-now feed later",
	"enqueue feed --kind leaf --id never --delay 1h", "reschedule feed never 2h", "cancel feed never --yes", "pause feed",
	"resume feed", "seal feed", "delete feed --yes", "start other --set tree --open", "stop other --yes", "redrive import/7", "retry busy", "discard busy --yes",
	"repeat-post-job report", "accept held", "release-hold busy producer --yes", "trigger nightly", "stop nightly --yes",
	"enable nightly", "release lock/ --yes", "reset tree --yes", "configure tree", "repair busy --dry-run", "quiet w1",
	"resume --worker w1", "drain w1",
}

// elsewhere are commands that other tests try: they serve, or need a real server, or print a script.
var elsewhere = []string{"completion", "doctor", "help", "ui"}

// Each command prints valid JSON with -o json, and with -o jsonl a document a line.
func TestEveryCommandAnswersInJSON(t *testing.T) {
	for _, form := range []string{"json", "jsonl"} {
		synctest.Test(t, func(t *testing.T) {
			f := scene.NewFixed(t)
			f.GaveUp("held")
			tried := slices.Clone(elsewhere)
			for _, line := range everyLine {
				m, err := syncjob.New(f.Store, syncjob.Config{})
				require.NoError(t, err)
				var out, problems bytes.Buffer
				a := &app{streams: streams{strings.NewReader(""), &out, &problems}, m: m}
				code := a.execute(t.Context(), append(strings.Fields(line), "-o", form))
				require.Contains(t, []int{0, 2, 10}, code, "%s: %s", line, &problems) // wait and check say more by theirs
				require.Empty(t, problems.String(), line)
				documents(t, line, form, out.String())
				tried = append(tried, strings.Fields(line)[0])
				synctest.Wait()
			}
			slices.Sort(tried)
			require.Equal(t, commandNames(), slices.Compact(tried), "each command has a line in everyLine")
		})
	}
}

// documents checks what a command printed.
func documents(t *testing.T, line, form, text string) {
	t.Helper()
	if form == "jsonl" {
		for one := range strings.Lines(text) {
			require.True(t, json.Valid([]byte(one)), "%s: %s", line, one)
		}
		return
	}
	require.NotEmpty(t, text, line)
	d := json.NewDecoder(strings.NewReader(text))
	for {
		var v any
		err := d.Decode(&v)
		if errors.Is(err, io.EOF) {
			return
		}
		require.NoError(t, err, "%s: %s", line, text)
	}
}

func commandNames() (list []string) {
	root := (&app{}).root()
	root.InitDefaultHelpCmd()
	root.InitDefaultCompletionCmd("x")
	for _, c := range root.Commands() {
		list = append(list, c.Name())
	}
	slices.Sort(list)
	return list
}

// The package's doc lists all commands, and no others.
func TestTheDocListsEveryCommand(t *testing.T) {
	text, err := os.ReadFile("main.go")
	require.NoError(t, err)
	_, list, found := strings.Cut(string(text), "# Commands\n")
	require.True(t, found)
	list, _, _ = strings.Cut(list, "\n// # ")
	said := make(map[string]bool)
	for line := range strings.Lines(list) {
		if rest, isList := strings.CutPrefix(line, "//\t"); isList {
			for name := range strings.FieldsSeq(rest) {
				said[name] = true
			}
		}
	}
	require.Equal(t, commandNames(), slices.Sorted(maps.Keys(said)))
}

// What a shell offers after the tab key is what the store has.
func TestNamesAreCompletedFromTheStore(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := scene.NewFixed(t)
		run := strconv.FormatInt(f.Failed.Number(), 10)
		for line, want := range map[string]string{
			"explain imp": "import/7 import/8", "task busy fl": "flaky", "cancel busy w": "waits-2 waits-1", "result busy la": "later late",
			"release-hold busy o": "open", "history t": "tree", "configure ": "tree", "quiet w": "w1", "drain ": "w1",
			"release buc": "bucket/eu", "mode read-o": "read-only", "pause --queue g": "gpu", "pause --set ": "tree",
			"pause --kind ": "leaf", "activity --queue d": "default", "resume --worker ": "w1", "run import/7 --run ": run,
			"tasks busy --state ex": "expired", "runs --status act": "active", "jobs -o jsonl --group p": "periodic",
			"jobs --prefix n": "nightly", "jobs -o j": "json jsonl", "reschedule busy later ": "", "jobs ": "",
		} {
			m, err := syncjob.New(f.Store, syncjob.Config{})
			require.NoError(t, err)
			var out bytes.Buffer
			a := &app{streams: streams{strings.NewReader(""), &out, io.Discard}, m: m}
			words := strings.Split(line, " ") // the last one may be empty
			require.Zero(t, a.execute(t.Context(), append([]string{"__complete"}, words...)), line)
			offered, _, _ := strings.Cut(out.String(), ":4\n")
			var names []string
			for name := range strings.FieldsSeq(offered) {
				if strings.HasPrefix(name, words[len(words)-1]) {
					names = append(names, name)
				}
			}
			require.Equal(t, want, strings.Join(names, " "), line)
		}
	})
}
