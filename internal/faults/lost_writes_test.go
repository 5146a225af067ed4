package faults

import (
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"strconv"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/rollcall-go/rollcall/internal/redistest"
	"github.com/rollcall-go/rollcall/syncjob"
)

// roundsEnv says how often rows of lost writes are played: each loss hits another moment.
const roundsEnv = "ROLLCALL_LOSS_ROUNDS"

// lossRounds is once, unless the environment says otherwise.
func lossRounds(t *testing.T) int {
	t.Helper()
	text := os.Getenv(roundsEnv)
	if text == "" {
		return 1
	}
	n, err := strconv.Atoi(text)
	require.NoError(t, err)
	return n
}

// forgetful is a server that loses what it acknowledged from mark to lose. When lose returns, it
// serves again.
type forgetful struct {
	url        string
	blows      int // how often it can be made to lose
	mark, lose func()
	serving    func() *redistest.Server
}

// reverting goes back to a snapshot.
func reverting(t *testing.T) *forgetful {
	t.Helper()
	server := redistest.Start(t, nil)
	return &forgetful{
		url:     server.URL(),
		blows:   2,
		mark:    func() { require.NoError(t, server.Snapshot(t.Context())) },
		lose:    server.Revert,
		serving: func() *redistest.Server { return server },
	}
}

// failingOver is a master whose replica, cut off by mark, takes over.
func failingOver(t *testing.T) *forgetful {
	t.Helper()
	site := redistest.StartSentinel(t)
	serving := site.Master
	bounded := func(step func(context.Context) error) {
		ctx, cancel := context.WithTimeout(t.Context(), patience)
		defer cancel()
		require.NoError(t, step(ctx))
	}
	return &forgetful{
		url:   site.URL(),
		blows: 1,
		mark: func() {
			requireInStep(t, site.Master)
			bounded(site.CutReplication)
		},
		lose: func() {
			bounded(site.LoseMaster)
			serving = site.Replica
		},
		serving: func() *redistest.Server { return serving },
	}
}

// world is a namespace on the server, of which all is known to the rest of the row.
func (f *forgetful) world(t *testing.T, namespace string, m *syncjob.Manager) *world {
	return &world{
		t: t, namespace: namespace, oracle: m,
		nodes: func() []*redistest.Server { return []*redistest.Server{f.serving()} },
	}
}

// requireInStep returns when the replica has what its master has now: a replica that lags would
// lose more than is meant.
func requireInStep(t *testing.T, master *redistest.Server) {
	t.Helper()
	c, release := master.Client.Dedicate()
	defer release()
	replies := c.DoMulti(t.Context(), // WAIT is for the writes of its own connection
		c.B().Set().Key("in-step").Value("").Build(),
		c.B().Wait().Numreplicas(1).Timeout(patience.Milliseconds()).Build())
	n, err := replies[1].AsInt64()
	require.NoError(t, err)
	require.EqualValues(t, 1, n)
}

// eachLoss plays a life on servers that lose in each way, as often as the environment says.
func eachLoss(t *testing.T, play func(*testing.T, *forgetful, *rand.Rand)) {
	t.Helper()
	_, random := seed(t)
	for round := range lossRounds(t) {
		for name, server := range map[string]func(*testing.T) *forgetful{"snapshot": reverting, "failover": failingOver} {
			t.Run(fmt.Sprintf("%s/%d", name, round), func(t *testing.T) { play(t, server(t), random) })
		}
	}
}

// tally counts what happens, and lets a test wait for it.
type tally struct {
	mu    sync.Mutex
	n     int
	waits map[int]chan struct{}
}

func (c *tally) add() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.n++
	if reached := c.waits[c.n]; reached != nil {
		close(reached)
		delete(c.waits, c.n)
	}
}

// more is closed when n more have happened.
func (c *tally) more(n int) <-chan struct{} {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.waits == nil {
		c.waits = make(map[int]chan struct{})
	}
	if c.waits[c.n+n] == nil {
		c.waits[c.n+n] = make(chan struct{})
	}
	return c.waits[c.n+n]
}
