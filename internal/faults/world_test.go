package faults

import (
	"context"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"os"
	"slices"
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/rollcall-go/rollcall/internal/redistest"
	"github.com/rollcall-go/rollcall/store"
	"github.com/rollcall-go/rollcall/store/redisstore"
	"github.com/rollcall-go/rollcall/syncjob"
	"github.com/rollcall-go/rollcall/syncjob/states"
)

// Leases of rows in which workers die, and of rows in which none must.
const (
	shortLease = time.Second
	longLease  = 20 * time.Second
)

// sweepInterval makes the dead be found soon.
const sweepInterval = 250 * time.Millisecond

// world is one namespace on a server of its own, and all that acts on it.
type world struct {
	t         *testing.T
	server    *redistest.Server // nil on a cluster and behind a sentinel
	proxy     *redistest.Proxy  // likewise
	url       string            // of the store, for workers and users
	nodes     func() []*redistest.Server
	cluster   *redistest.Cluster // nil elsewhere
	namespace string
	lease     time.Duration
	workers   int  // started so far
	lossy     bool // a failover may lose what was acknowledged
	scripts   *scripts
	refusals  refusals // of calls of m and oracle
	logger    *slog.Logger
	books
	desk *desk // nil if there is none

	// m goes through the proxy, as users' managers do; oracle goes past it.
	m, oracle *syncjob.Manager
	*witness
}

// newWorld starts a server and connects to it. opts may be nil.
func newWorld(t *testing.T, lease time.Duration, opts *redistest.Options) *world {
	t.Helper()
	server := redistest.Start(t, opts)
	w := unpeopled(t, lease)
	w.server, w.proxy = server, redistest.NewProxy(t, server.Addr)
	w.url = w.proxy.URL()
	w.nodes = func() []*redistest.Server { return []*redistest.Server{server} }
	w.proxy.Inject(redistest.Fault{Match: w.scripts.learn})
	w.m = w.manager(w.url)
	w.oracle = w.manager(server.URL())
	return w
}

// newWorldAt connects to servers that are reached without a proxy. nodes are those that
// hold its keys, at the moment.
func newWorldAt(t *testing.T, lease time.Duration, url string, nodes func() []*redistest.Server) *world {
	t.Helper()
	w := unpeopled(t, lease)
	w.url, w.nodes = url, nodes
	w.m = w.manager(url)
	w.oracle = w.manager(url)
	return w
}

func unpeopled(t *testing.T, lease time.Duration) *world {
	t.Helper()
	return &world{
		t:         t,
		namespace: redistest.Namespace(),
		lease:     lease,
		scripts:   newScripts(t),
		witness:   newWitness(t),
	}
}

func (w *world) manager(url string) *syncjob.Manager {
	w.t.Helper()
	opened, err := redisstore.Open(
		w.t.Context(), url, redisstore.Config{Namespace: w.namespace, SweepInterval: sweepInterval, Logger: w.logger},
	)
	require.NoError(w.t, err)
	w.t.Cleanup(func() { require.NoError(w.t, opened.Close()) })
	return w.managerOn(opened)
}

func (w *world) managerOn(s store.Store) *syncjob.Manager {
	w.t.Helper()
	registry, err := new(hands).registry() // for producers: its handlers are never called here
	require.NoError(w.t, err)
	m, err := syncjob.New(s, syncjob.Config{Registry: registry, Logger: w.logger, Retry: store.RetryOptions{OnRetry: w.refusals.note}})
	require.NoError(w.t, err)
	w.t.Cleanup(func() { require.NoError(w.t, m.Close()) })
	return m
}

// worker starts a worker process behind the proxy, and returns when it has connected: that
// is not repeated by itself, so a fault must not strike it.
func (w *world) worker(concurrency int) *process {
	w.t.Helper()
	return w.enlist(order{Concurrency: concurrency})
}

// enlist starts a process with the given order, which it completes.
func (w *world) enlist(o order) *process {
	w.t.Helper()
	w.workers++
	o.Name = fmt.Sprintf("w%d", w.workers)
	if o.URL == "" {
		o.URL = w.url
	}
	if o.Lease == 0 {
		o.Lease = w.lease
	}
	o.Namespace, o.Desk = w.namespace, w.desk != nil && o.Role == ""
	o.Ledger, o.Witness = w.witness.server.Addr, w.witness.namespace
	o.Sweep = sweepInterval
	p := start(w.t, o)
	w.await("worker "+p.name+" connected", func(events []event) bool {
		return slices.ContainsFunc(events, func(e event) bool { return e.What == ready && e.Text == p.name })
	})
	if o.Desk {
		w.await("worker "+deskOf(p.name)+" connected", func(events []event) bool {
			return slices.ContainsFunc(events, func(e event) bool { return e.What == ready && e.Text == deskOf(p.name) })
		})
	}
	return p
}

// grow starts a run that grows a tree from its root task, under the eyes of the oracle.
func (w *world) grow(root node) *subject {
	w.t.Helper()
	return w.begin(syncjob.Job{Name: jobName, Set: "tree", Root: root}, root.grown())
}

// jobName is that of the job that a row is about. No other word in a key is like it.
const jobName = "the-subject"

// begin starts a run of which that must become.
func (w *world) begin(j syncjob.Job, want growth) *subject {
	w.t.Helper()
	run, err := w.m.Start(w.t.Context(), j, nil)
	require.NoError(w.t, err)
	return w.observe(run, want)
}

// warm runs a job of which nothing is expected but its end: then the workers are at
// work, the server has the scripts, and their hashes are known.
func (w *world) warm() {
	w.t.Helper()
	ctx, cancel := context.WithTimeout(w.t.Context(), patience)
	defer cancel()
	run, err := w.m.Start(ctx, syncjob.Job{Name: "warm-up", Set: "tree", Root: node{Path: "warm", Fan: []int{300}, Quiet: true}}, nil)
	require.NoError(w.t, err)
	final, err := run.Wait(ctx)
	require.NoError(w.t, err)
	require.Equal(w.t, states.Succeeded, final.Status)
}

// seed returns the seed of everything that the test draws, and prints it.
func seed(t *testing.T) (uint64, *rand.Rand) {
	t.Helper()
	n := rand.Uint64()>>32 | 1
	if text := os.Getenv("ROLLCALL_SEED"); text != "" {
		var err error
		n, err = strconv.ParseUint(text, 10, 64)
		require.NoError(t, err)
	}
	t.Logf("ROLLCALL_SEED=%d repeats what this run drew", n)
	return n, rand.New(rand.NewPCG(n, 0))
}
