package dashboard_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/rollcall-go/rollcall/syncjob/states"
)

// A program in Node starts a run and adds tasks; a worker in Go runs them. Node is a client in another
// language whose HTTP and JSON are not Go's, and which keeps numbers as floats: so numbers of 64 bits
// must pass as strings. CI installs it; on other machines the test is skipped where it is missing.
func TestAProgramInNodeEnqueuesTasks(t *testing.T) {
	node, err := exec.LookPath("node")
	if err != nil {
		if os.Getenv("ROLLCALL_REQUIRE_NODE") != "" {
			t.Fatal("node is required: ", err)
		}
		t.Skip("no node")
	}
	p := newPlace(t, open)
	p.Work()
	c := exec.CommandContext(t.Context(), node, filepath.Join("testdata", "client.mjs"), p.url+"api/v1/")
	var said strings.Builder
	c.Stderr = &said
	out, err := c.Output()
	require.NoError(t, err, said.String())
	number, err := strconv.ParseInt(strings.TrimSpace(string(out)), 10, 64)
	require.NoError(t, err, "the number of a run is exact")
	final, err := p.M.Run("feed", number).Wait(t.Context())
	require.NoError(t, err)
	require.Equal(t, states.Failed, final.Status)
	require.EqualValues(t, 3, final.Counts.Total)
	require.EqualValues(t, 2, final.Counts.Succeeded)
	require.EqualValues(t, 1, final.Counts.Failed)
	require.Equal(t, "by Node: <é\u202e>", final.LastError)
}
