package main

import (
	"fmt"
	"os"
	"os/exec"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// asCommand lets the program of the tests be the command.
const asCommand = "ROLLCALL_TEST_AS_COMMAND"

func TestMain(m *testing.M) {
	if os.Getenv(asCommand) != "" {
		main()
	}
	os.Exit(m.Run())
}

// shells say how a shell completes a line without a terminal: the script is loaded, and its function is
// called as the shell does when somebody presses the tab key. What the packages of the shells offer to
// such functions is played here.
var shells = map[string]string{
	"bash": `
_init_completion() { words=("${COMP_WORDS[@]}"); cword=$COMP_CWORD; cur=${words[cword]}; prev=${words[cword-1]}; }
COMP_WORDS=(rollcall %s); COMP_CWORD=$((${#COMP_WORDS[@]}-1)); COMP_LINE="${COMP_WORDS[*]}"; COMP_POINT=${#COMP_LINE}; COMP_TYPE=9
__start_rollcall 2>/dev/null
echo "${COMPREPLY[@]}"`,
	"zsh": `
_describe() { print -r -- ${(P)2}; }
words=(rollcall %s); CURRENT=${#words}
_rollcall`,
}

// The completion scripts run in the shells themselves, and offer what the store has.
func TestShellsCompleteNames(t *testing.T) {
	p := newPlace(t)
	p.Started("import-7")
	p.Started("busy")
	program, err := os.Executable()
	require.NoError(t, err)
	for shell, press := range shells {
		path, err := exec.LookPath(shell)
		if err != nil {
			require.Empty(t, os.Getenv("ROLLCALL_REQUIRE_SHELLS"), "%s is required", shell)
			t.Logf("%s is not here", shell)
			continue
		}
		for line, want := range map[string]string{"explain imp": "import-7", "drai": "drain"} {
			script := "compdef() { :; }\nrollcall() { " + asCommand + "=1 '" + program + "' \"$@\"; }\n" +
				p.rollcall(0, "completion", shell, "--no-descriptions") + fmt.Sprintf(press, line)
			cmd := exec.CommandContext(t.Context(), path)
			cmd.Stdin = strings.NewReader(script)
			out, err := cmd.CombinedOutput()
			require.NoError(t, err, "%s: %s: %s", shell, line, out)
			require.Equal(t, want, strings.TrimSpace(string(out)), "%s: %s", shell, line)
		}
	}
}
