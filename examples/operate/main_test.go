package main

import (
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/rollcall-go/rollcall/internal/redistest"
)

// The audit has a line for what the operator did, in this order; others may stand between them.
func TestTheAuditTellsTheDayOfAnOperator(t *testing.T) {
	server, namespace := redistest.Shared(t)
	binary := filepath.Join(t.TempDir(), "operate")
	built, err := exec.CommandContext(t.Context(), "go", "build", "-o", binary, ".").CombinedOutput()
	require.NoError(t, err, string(built))
	out, err := exec.CommandContext(t.Context(), binary, "-store", server.URL(), "-namespace", namespace).CombinedOutput()
	require.NoError(t, err, string(out))
	rest := string(out)
	for _, line := range []string{
		`10 of invoice failed: invoice \d: no printer "ofice"`,
		`invoice is failed after attempt 1`,
		`10 tasks wait in a queue that is paused`,
		`invoice-10: cancelled`,
		`worker-1 ended by itself: true`,
		`ann: pause queue billing \(the printer is set up\)`,
		`ann: configure billing \(ofice is a typing error\)`,
		`ann: resume queue billing \(the printer is set up\)`,
		`ann: drain worker worker-1 \(a new machine\)`,
		`ann: enqueue \w+ \(\)`,
	} {
		at := regexp.MustCompile("(?m)^" + line + "$").FindStringIndex(rest)
		require.NotNil(t, at, "%s\nis not in\n%s", line, rest)
		rest = rest[at[1]:]
	}
	require.Empty(t, strings.TrimSpace(rest))
}
