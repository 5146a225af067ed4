package dashboard

import (
	"encoding/json"
	"flag"
	"os"
	"testing"

	"github.com/stretchr/testify/require"
)

var update = flag.Bool("update", false, "write files/openapi.json anew")

func TestTheDescriptionOfTheAPIIsThatOfTheCode(t *testing.T) {
	want, err := json.MarshalIndent(openAPI(), "", "  ")
	require.NoError(t, err)
	want = append(want, '\n')
	if *update {
		require.NoError(t, os.WriteFile("files/openapi.json", want, 0o644))
	}
	got, err := os.ReadFile("files/openapi.json")
	require.NoError(t, err)
	require.Equal(t, string(want), string(got), "run: go test ./syncjob/dashboard -update")
}
