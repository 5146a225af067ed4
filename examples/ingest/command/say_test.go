package command

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/stretchr/testify/require"

	"github.com/rollcall-go/rollcall/enqueue"
	"github.com/rollcall-go/rollcall/examples/ingest/mirror"
	"github.com/rollcall-go/rollcall/internal/redistest"
	"github.com/rollcall-go/rollcall/syncjob"
	"github.com/rollcall-go/rollcall/syncjob/states"
)

// forged is a name that clears the screen, turns what follows around, and would be a line of its
// own.
const forged = "a\x1b[2J\u009b1m\u202e\u2066\u200b\u061c\x7f\u2028\r\nsucceeded: 1 of 1 tasks"

// requireHarmless requires that what was printed holds nothing but its own lines.
func requireHarmless(t *testing.T, printed string) {
	t.Helper()
	require.True(t, utf8.ValidString(printed), "%q", printed)
	require.NotRegexp(t, `(?m)^succeeded: 1 of 1`, printed)
	for _, r := range strings.ReplaceAll(printed, "\n", "") {
		require.False(t, unicode.In(r, unicode.Cc, unicode.Cf, unicode.Zl, unicode.Zp), "%U in %q", r, printed)
	}
}

func TestNoNameOrErrorForgesALine(t *testing.T) {
	var out bytes.Buffer
	s := states.Run{
		Job: forged, Status: states.Running, Reason: forged, LastError: forged + "\xff", HookErr: forged,
		Reporting: []states.RunningTask{{Progress: states.Progress{Message: forged}}},
	}
	f := mirror.Figures{Failed: 2, List: []mirror.Listed{{Path: []byte(forged + "\xff"), Reason: forged}}}
	report(streams{&out, &out}, s, f, true)
	(&lines{out: &out}).update(s)
	table := newTable(&out)
	table.row(forged, 1, "b\tc")
	require.NoError(t, table.Flush())
	complain(&out, "start", errors.Join(errors.New(forged), fmt.Errorf("on %s: %w", forged, errors.New(forged))))
	requireHarmless(t, out.String())
	require.Equal(t, 12, strings.Count(out.String(), "\n"), out.String())
	require.Contains(t, out.String(), `last error: a\x1b[2J\u009b1m\u202e`)
	require.Contains(t, out.String(), `1  b\tc`)

	var b bytes.Buffer
	newBar(&b).update(s)
	require.Contains(t, b.String(), `copying a\x1b[2J\u009b1m\u202e\u2066\u200b\u061c\x7f\u2028\r\nsucceeded`)
}

func TestJSONStaysWhatItIs(t *testing.T) {
	var out bytes.Buffer
	want := map[string]string{"name": forged + "\U000e0041 größer \\u202e"}
	printJSON(&out, want)
	requireHarmless(t, out.String())
	var got map[string]string
	require.NoError(t, json.Unmarshal(out.Bytes(), &got))
	require.Equal(t, want, got)
}

// What others name and say reaches the terminal of whoever asks.
func TestCommandsShowHostileNamesAsEscapes(t *testing.T) {
	server := redistest.Start(t, nil)
	tr := newTrees(t)
	tr.Write(filepath.Join(forged, "file"), "x", 0o644)
	require.NoError(t, os.Mkdir(tr.Dst, 0o755))
	require.NoError(t, os.WriteFile(tr.Dst+forged, nil, 0o600))
	status, printed, told := command(
		t.Context(), "start", "-name", "one", "-src", tr.Src, "-dst", tr.Dst+forged, "-store", server.URL(), "-workers",
		"2",
	)
	require.Equal(t, exitFailed, status)
	requireHarmless(t, printed+told)
	require.Contains(t, printed, `last error: `)
	require.Contains(t, printed, `a\x1b[2J`)

	m, err := syncjob.Open(t.Context(), server.URL(), syncjob.Config{Namespace: namespace})
	require.NoError(t, err)
	defer func() { require.NoError(t, m.Close()) }()
	run, err := m.Start(
		t.Context(),
		syncjob.Job{Name: "two", Set: mirror.SetName, Root: mirror.Args{Src: []byte(tr.Src), Dst: []byte(tr.Dst)}},
		&syncjob.StartOptions{Key: "k"},
	)
	require.NoError(t, err)
	_, err = m.Enqueue(t.Context(), "two", mirror.Args{}, &enqueue.Options{ID: "a\u202eb", Delay: time.Hour})
	require.NoError(t, err)
	require.NoError(t, run.Stop(t.Context(), &syncjob.StopOptions{Reason: forged}))
	for _, args := range [][]string{
		{"list"}, {"list", "-json"}, {"watch", "one"}, {"watch", "two", "-json"}, {"explain", "one"}, {"explain", "two"}, {"explain", "two", "-json"},
		{"failures", "one"}, {"redrive", "two"}, {"stop", forged}, {forged},
	} {
		_, printed, told := command(t.Context(), append(args, "-store", server.URL())...)
		requireHarmless(t, printed+told)
	}
}
