package main

import (
	"bytes"
	"encoding/json"
	"io"
	"regexp"
	"strings"
	"testing"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
	"github.com/stretchr/testify/require"
)

// each calls a function for each command that does something, with a command line that is right so far.
func each(c *cobra.Command, args []string, f func(c *cobra.Command, args []string)) {
	if c.Name() == "completion" || c.Name() == "help" {
		return
	}
	for range regexp.MustCompile(`(?:^| )[A-Z][A-Z-]*`).FindAllString(strings.ReplaceAll(c.Use, "[", ""), -1) {
		args = append(args, "x")
	}
	if c.Runnable() {
		f(c, args)
	}
	for _, sub := range c.Commands() {
		each(sub, append(args[:len(args):len(args)], sub.Name()), f)
	}
}

// A value that is wrong is refused with exit code 2 before a store is asked, by every command, for
// every flag that has a form, and the flag is named.
func TestEveryCommandRefusesWrongValuesOfFlags(t *testing.T) {
	t.Setenv("ROLLCALL_STORE", "redis://127.0.0.1:1") // nobody answers there
	commands := 0
	refused := func(name string, args ...string) {
		t.Helper()
		var out bytes.Buffer
		code := run(t.Context(), args, streams{strings.NewReader(""), &out, &out})
		require.Equal(t, codeUsage, code, "rollcall %s: %s", strings.Join(args, " "), &out)
		require.Contains(t, out.String(), name, "rollcall %s", strings.Join(args, " "))
	}
	each((&app{streams: streams{strings.NewReader(""), io.Discard, io.Discard}}).root(), nil, func(c *cobra.Command, args []string) {
		commands++
		refused("--output", append(args, "-o", "xml")...)
		refused("--nonsense", append(args, "--nonsense")...)
		c.Flags().VisitAll(func(f *pflag.Flag) {
			switch f.Value.Type() {
			case "string", "stringSlice", "stringArray":
			default:
				refused("--"+f.Name, append(args, "--"+f.Name+"=?!")...)
			}
		})
	})
	require.Greater(t, commands, 40)
}

// With -o json, waiting for a run that was started prints one document, about its end.
func TestStartAndWaitPrintOneDocument(t *testing.T) {
	p := newPlace(t)
	out := p.rollcall(10, "start", "once", "--set", "tree", "--kind", "leaf", "--args", `{"fail":"no"}`, "--wait", "-o", "json")
	var end struct {
		Job    string `json:"job"`
		Status string `json:"status"`
	}
	require.NoError(t, json.Unmarshal([]byte(out), &end), out)
	require.Equal(t, "once", end.Job)
	require.Equal(t, "failed", end.Status)
	lines := p.rollcall(10, "start", "twice", "--set", "tree", "--kind", "leaf", "--args", `{"fail":"no"}`, "--wait", "-o", "jsonl")
	require.Len(t, strings.Split(strings.TrimSpace(lines), "\n"), 2)
}
