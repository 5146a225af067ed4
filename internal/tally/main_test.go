package main

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// lines are events as the go command writes them.
func lines(t *testing.T, events ...event) string {
	t.Helper()
	var b strings.Builder
	for _, e := range events {
		text, err := json.Marshal(e)
		require.NoError(t, err)
		b.Write(append(text, '\n'))
	}
	return b.String()
}

func TestOnlyWhatRanAndPassedIsGood(t *testing.T) {
	run, end := event{Action: "run", Package: "p", Test: "TestA"}, event{Action: "pass", Package: "p", Elapsed: 1.5}
	said := event{Action: "output", Package: "p", Test: "TestA", Output: "why\n"}
	ended := func(action string) event { return event{Action: action, Package: "p", Test: "TestA", Elapsed: 0.5} }
	for name, c := range map[string]struct {
		events []event
		good   bool
		want   string
	}{
		"passed":           {[]event{run, said, ended("pass"), end}, true, "pass     1.5 s     1 tests  p\nslow     0.5 s  p TestA\n1 tests ran in 1 packages\n"},
		"failed":           {[]event{run, said, ended("fail"), {Action: "fail", Package: "p"}}, false, "FAILED p TestA\nwhy\n"},
		"skipped":          {[]event{run, said, ended("skip"), end}, false, "SKIPPED p TestA\nwhy\n"},
		"did not end":      {[]event{run, said, end}, false, "NOT ENDED p TestA\nwhy\n"},
		"package failed":   {[]event{run, ended("pass"), {Action: "output", Package: "p", Output: "a leak\n"}, {Action: "fail", Package: "p"}}, false, "FAILED p \na leak\n"},
		"no test files":    {[]event{run, ended("pass"), end, {Action: "skip", Package: "q"}}, true, "1 tests ran in 1 packages\n"},
		"nothing ran":      {[]event{{Action: "skip", Package: "q"}}, false, "0 tests ran"},
		"no input":         {nil, false, "0 tests ran"},
		"does not compile": {[]event{run, ended("pass"), end, {Action: "fail", Package: "q"}}, false, "FAILED q"},
	} {
		t.Run(name, func(t *testing.T) {
			all, err := read(strings.NewReader(lines(t, c.events...)))
			require.NoError(t, err)
			text, good := all.report()
			require.Equal(t, c.good, good, text)
			require.Contains(t, text, c.want)
		})
	}
}

func TestWhatPassedIsNotPrinted(t *testing.T) {
	all, err := read(strings.NewReader("go: downloading\n" + lines(t, event{Action: "run", Package: "p", Test: "TestA"},
		event{Action: "output", Package: "p", Test: "TestA", Output: "chatter\n"},
		event{Action: "pass", Package: "p", Test: "TestA"}, event{Action: "pass", Package: "p"})))
	require.NoError(t, err)
	text, good := all.report()
	require.True(t, good)
	require.NotContains(t, text, "chatter")
}
