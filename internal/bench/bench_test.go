package main

import (
	"bytes"
	"encoding/json"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
)

func needsServer(t *testing.T) {
	t.Helper()
	if _, err := exec.LookPath("redis-server"); err != nil {
		if os.Getenv("ROLLCALL_REQUIRE_REDIS") != "" {
			t.Fatal("redis-server is required")
		}
		t.Skip("no redis-server on the PATH")
	}
}

func measured(t *testing.T, peers, scenarios string) []result {
	t.Helper()
	needsServer(t)
	cfg := config{sizes: tinySizes(), rounds: 1, log: io.Discard}
	var err error
	cfg.peers, err = selectPeers(peers)
	require.NoError(t, err)
	cfg.scenarios, err = selectScenarios(scenarios)
	require.NoError(t, err)
	results, err := bench(t.Context(), cfg)
	require.NoError(t, err)
	return results
}

func TestEveryScenarioRunsAndIsPrinted(t *testing.T) {
	results := measured(t, "rollcall,floor", "")
	seen := make(map[string]bool)
	for _, r := range results {
		require.False(t, r.Peer == "rollcall" && r.unsupported, r.Scenario)
		seen[r.Scenario] = true
	}
	for _, name := range []string{"enqueue-one", "enqueue+drain", "jobs-one-drain", "waiting-1000", "large-drain"} {
		require.True(t, seen[name], name)
	}
	var text, markdown bytes.Buffer
	require.NoError(t, printTable(&text, results))
	require.NoError(t, printMarkdown(&markdown, results))
	require.Contains(t, text.String(), "–", "the floor knows no trees")
	require.Contains(t, markdown.String(), "| drain-100 (AOF) | rollcall |")

	path := filepath.Join(t.TempDir(), "results.json")
	require.NoError(t, writeJSON(path, results))
	b, err := os.ReadFile(path)
	require.NoError(t, err)
	rows := 0
	for d := json.NewDecoder(bytes.NewReader(b)); d.More(); rows++ {
		var row result
		require.NoError(t, d.Decode(&row))
	}
	require.Positive(t, rows)
}

func TestPeersDoTheSameWork(t *testing.T) {
	results := measured(t, "rollcall,asynq,watermill,floor", "enqueue-one,drain-10")
	for _, r := range results {
		require.Positive(t, r.N, "%s %s", r.Scenario, r.Peer)
		if r.Peer == "rollcall" {
			require.Positive(t, r.VsFloor)
			require.Positive(t, r.VsAsynq)
		}
	}
}

func TestUnknownNamesAreRefused(t *testing.T) {
	_, err := selectPeers("rollcall,celery")
	require.ErrorContains(t, err, "celery")
	_, err = selectScenarios("enqueue,nap")
	require.ErrorContains(t, err, "nap")
}
