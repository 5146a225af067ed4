package main

import (
	"bytes"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/rollcall-go/rollcall/internal/scene"
	"github.com/rollcall-go/rollcall/syncjob"
)

// Whatever users choose cannot act on a terminal; and each of these texts is really printed, or the
// test would not say much.
func TestHostileTextsCannotActOnATerminal(t *testing.T) {
	h := scene.NewHostile(t)
	name, number := h.Failed.Job(), strconv.FormatInt(h.Failed.Number(), 10)
	seen := make(map[string]bool)
	printed := func(args ...string) string {
		m, err := syncjob.New(h.M.Store(), syncjob.Config{})
		require.NoError(t, err)
		var out bytes.Buffer
		a := &app{streams: streams{strings.NewReader(""), &out, &out}, m: m}
		a.execute(t.Context(), args)
		return out.String()
	}
	for _, args := range [][]string{
		{"jobs"}, {"job", name}, {"runs"}, {"runs", name}, {"run", name}, {"run", "stopped"}, {"explain", "busy"}, {"timeline", "stopped"},
		{"tasks", name}, {"tasks", "busy"}, {"task", "busy", h.Task, "--payload"}, {"failures"}, {"failures", name}, {"failures", "--groups"},
		{"queues"}, {"workers"}, {"sets"}, {"schedules"}, {"semaphores"}, {"limits"}, {"values"}, {"pauses"}, {"audit"}, {"history", scene.Set},
		{"configure", scene.Set}, {"check"}, {"wait", name}, {"watch", name}, {"__complete", "run", ""},
		{"job", h.Texts["error"]}, {"task", "busy", h.Texts["message"]}, {"start", h.Texts["error"], "--set", scene.Set},
		{"run", name, "--run", number, "-o", "xml" + h.Texts["error"]}, {h.Texts["error"]}, {"jobs", "--" + h.Texts["error"]},
	} {
		text := printed(args...)
		for _, sign := range []string{"\x1b", "\r", "\u202e", "\u2066", "\u200b"} {
			require.NotContains(t, text, sign, "%q", args)
		}
		for place, hostile := range h.Texts {
			seen[place] = seen[place] || strings.Contains(text, syncjob.Printable(hostile))
		}
	}
	for place := range h.Texts {
		hidden := strings.Contains(place, "header") || place == "note" || place == "parameter" // JSON has them
		require.True(t, hidden || seen[place], "no command prints %s", place)
	}
	require.Contains(t, printed("run", name), strconv.Itoa(scene.Huge), "a counter")
}
