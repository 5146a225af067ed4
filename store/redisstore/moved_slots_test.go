package redisstore_test

import (
	"context"
	"errors"
	"slices"
	"strconv"
	"sync"
	"testing"

	"github.com/redis/rueidis"
	"github.com/stretchr/testify/require"

	"github.com/rollcall-go/rollcall/internal/redistest"
	"github.com/rollcall-go/rollcall/store"
	"github.com/rollcall-go/rollcall/store/redisstore"
)

// mover is the client of a process. When it calls a script, half of the keys move to another node
// first, and the others once the call has been answered. The process ends when a call of the script
// has taken effect.
type mover struct {
	rueidis.Client
	calls   func(words []string) string
	cluster *redistest.Cluster
	end     context.CancelFunc

	mu     sync.Mutex
	script string                      // "" for none yet
	met    int                         // calls that met the move
	finish func(context.Context) error // the move that has begun
	err    error                       // of the move
}

// moveAt arms the client.
func (m *mover) moveAt(script string, end context.CancelFunc) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.script, m.end = script, end
}

// outcome is how many calls met the move, and whether it could be made.
func (m *mover) outcome() (met int, err error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.met, m.err
}

func (m *mover) Do(ctx context.Context, cmd rueidis.Completed) rueidis.RedisResult {
	words := cmd.Commands()
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.script == "" || m.calls(words) != m.script {
		return m.Client.Do(ctx, cmd)
	}
	ctx = context.WithoutCancel(ctx) // or the move would stop in the midst
	if n, err := strconv.Atoi(words[2]); m.met == 0 && m.finish == nil && err == nil {
		m.finish, m.err = m.split(ctx, words[3:3+n])
	}
	result := m.Client.Do(ctx, cmd)
	if server, ok := rueidis.IsRedisErr(result.Error()); ok && server.IsNoScript() {
		return result // it is called by its text now
	}
	if m.met++; m.finish != nil {
		m.err = errors.Join(m.err, m.finish(ctx))
		m.finish = nil
	}
	if result.Error() == nil {
		m.end()
	}
	return result
}

// split moves half of the slot of keys to another node: the last of them that is there.
func (m *mover) split(ctx context.Context, keys []string) (finish func(context.Context) error, err error) {
	owner, err := m.cluster.Owner(ctx, keys[0])
	if err != nil {
		return nil, err
	}
	nodes := m.cluster.Nodes
	to := nodes[(slices.Index(nodes, owner)+1)%len(nodes)]
	half := keys[0]
	for _, key := range keys {
		there, err := owner.Client.Do(ctx, owner.Client.B().Exists().Key(key).Build()).AsBool()
		if err != nil {
			return nil, err
		}
		if there {
			half = key
		}
	}
	return m.cluster.SplitSlot(ctx, half, to)
}

// ending is a test whose process ends before it.
type ending struct {
	testing.TB
	ctx context.Context
}

func (e ending) Context() context.Context { return e.ctx }

// TestEachScriptTakesEffectOnceWhileItsSlotMoves has each script called when half of its keys are at
// another node. What is left is what a crash after it leaves.
func TestEachScriptTakesEffectOnceWhileItsSlotMoves(t *testing.T) {
	t.Parallel()
	cluster := redistest.StartCluster(t, 2)
	all, byHash := scriptNames(t)
	for _, name := range all {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			point, ok := crashPoints[name]
			require.True(t, ok, "no row calls it")
			point.move(t, cluster, name, byHash)
		})
	}
}

func (p crashPoint) move(t *testing.T, cluster *redistest.Cluster, script string, byHash map[string]string) {
	config := redisstore.Config{Namespace: redistest.Namespace(), Partitions: 1, SweepInterval: sweepInterval}
	open := func(client rueidis.Client) store.Store {
		s, err := redisstore.New(t.Context(), client, config)
		require.NoError(t, err)
		t.Cleanup(func() { require.NoError(t, s.Close()) })
		return store.WithRetry(s, nil)
	}
	client, err := rueidis.NewClient(rueidis.ClientOption{InitAddress: cluster.Addrs(), DisableCache: true})
	require.NoError(t, err)
	t.Cleanup(client.Close)
	m := &mover{Client: client, calls: (&mortal{names: byHash}).calls, cluster: cluster}
	process := open(m)
	c := &crash{scene: &scene{TB: t, Store: open(cluster.Client), client: cluster.Client, namespace: config.Namespace}}
	require.NoError(t, c.OpenProducer(t.Context(), 0, "producer"))
	require.NoError(t, process.OpenProducer(t.Context(), 0, "victim"))
	c.victim = (&scene{TB: t, Store: process, namespace: config.Namespace}).worker("victim")
	c.run = c.scene.begin(store.StartParams{Job: "job"})
	c.enqueue(c.run, items("k", 3)...)
	if p.begin != nil {
		p.begin(c)
	}

	ctx, end := context.WithCancel(t.Context())
	defer end()
	m.moveAt(script, end)
	c.TB = ending{t, ctx}
	if err := p.act(c); !errors.Is(err, context.Canceled) {
		require.NoError(t, err)
	}
	c.TB = t
	met, err := m.outcome()
	require.NoError(t, err)
	require.Positive(t, met)
	require.Error(t, ctx.Err(), "it took effect")
	if p.stands != nil {
		p.stands(c, true)
	}
	want := three(0)
	if p.want != nil {
		want = p.want(true)
	}
	require.Equal(t, want, c.finish(c.run).Counts)
	c.tidy()
}
