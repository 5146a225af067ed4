// Package redisstore keeps Rollcall's state in Redis 6.2 or newer, or Valkey:
// standalone, Sentinel or Cluster. It is the default Store.
//
// Every state change is one Lua script over keys of one partition, and every script is safe to
// repeat; README.md has the tables of keys and scripts, and what a crash before and after each
// leaves. Stores check what they are given, by [store.Checked], and do not retry: wrap them with
// [store.WithRetry], as syncjob does.
package redisstore

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/redis/rueidis"

	"github.com/rollcall-go/rollcall/internal/guard"
	"github.com/rollcall-go/rollcall/internal/lifecycle"
	"github.com/rollcall-go/rollcall/store"
	"github.com/rollcall-go/rollcall/store/redisstore/internal/format"
	"github.com/rollcall-go/rollcall/store/redisstore/internal/prompt"
	"github.com/rollcall-go/rollcall/store/redisstore/internal/script"
)

// Config says where in Redis a namespace lives.
type Config struct {
	// Namespace prefixes every key, so that several systems can share a
	// server. See [store.ValidateName]. Defaults to "rollcall".
	Namespace string

	// Partitions is the number of partitions of a namespace that is used for
	// the first time; later it must be that number, or 0 for whatever is
	// stored. Jobs spread over partitions, and partitions over the shards of a
	// cluster. At most 1024. Defaults to 1 on a single server and 16 on a Cluster.
	Partitions int

	// SweepInterval is how often somebody should look for dead sessions and leftovers. It
	// must be the same for all processes of a namespace. At least 10 ms. Defaults to 5 s.
	SweepInterval time.Duration

	// AllowEviction accepts a server whose maxmemory-policy may evict keys,
	// with a warning in the log. Evicted keys are lost tasks, so by default
	// New refuses such a server.
	AllowEviction bool

	// Logger hears of what is odd but not an error. Defaults to silence.
	Logger *slog.Logger
}

func (c Config) withDefaults() Config {
	if c.Namespace == "" {
		c.Namespace = "rollcall"
	}
	if c.SweepInterval == 0 {
		c.SweepInterval = 5 * time.Second
	}
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	c.Logger = guard.Logger(c.Logger)
	return c
}

func (c Config) validate() error {
	errs := []error{store.ValidateName("Namespace", c.Namespace)}
	if c.Partitions < 0 || c.Partitions > 1024 {
		errs = append(errs, &store.FieldError{Field: "Partitions", Reason: "must be 0 to 1024"})
	}
	if c.SweepInterval < 10*time.Millisecond {
		errs = append(errs, &store.FieldError{Field: "SweepInterval", Reason: "must be at least 10 ms"})
	}
	return store.JoinFields(errs...)
}

// Store implements [store.Store] over a rueidis client. Make one with [New] or
// [Open]; its methods may be called concurrently.
type Store struct {
	server *script.Server
	client *prompt.Client
	conns  *connections // of a client that is ours to close; nil otherwise
	config Config
	spaces []*format.Keyspace
	metas  []*metaCache

	life context.Context // ends with Close, and subscriptions with it
	end  context.CancelFunc
	hub  *hub
	skew atomic.Int64 // server time less ours, in ms, as of the last reply

	mu       sync.Mutex
	sessions map[store.SessionID]*session
}

var _ store.Store = (*Store)(nil)

// New returns a store over a client that stays the caller's: Close does not close it. The client
// must not replay writes on its own (ConnLifetime of rueidis does, harmlessly here since every call
// is safe to repeat). New makes a few round trips: it reads the server's policy and the namespace's
// partitions, and stores their number at first use. Errors are a [*store.FieldError] for bad
// configuration, one that matches [store.ErrUnavailable] when the server, or of a cluster each that
// knows the namespace, is out of reach, and [store.ErrCorrupt] when the namespace was written by a
// newer version.
func New(ctx context.Context, client rueidis.Client, config Config) (store.Store, error) {
	s, err := newStore(ctx, client, config)
	if err != nil {
		return nil, err
	}
	return store.Checked(s), nil
}

func newStore(ctx context.Context, client rueidis.Client, config Config) (*Store, error) {
	config = config.withDefaults()
	if err := config.validate(); err != nil {
		return nil, err
	}
	s := &Store{config: config, hub: newHub(), sessions: make(map[store.SessionID]*session)}
	s.life, s.end = context.WithCancel(context.Background())
	s.client = prompt.New(client, lifecycle.New(s.life))
	s.server = script.NewServer(s.client)
	if err := s.checkEviction(ctx); err != nil {
		return nil, err
	}
	n, err := s.agreePartitions(ctx)
	if err != nil {
		return nil, err
	}
	for p := range n {
		s.spaces = append(s.spaces, format.NewKeyspace(config.Namespace, p))
		s.metas = append(s.metas, &metaCache{})
	}
	return s, nil
}

// checkEviction refuses a server that may evict keys. A server that does not tell its policy (no
// CONFIG right, or no such command), or that is one of several and out of reach, is taken on trust.
func (s *Store) checkEviction(ctx context.Context) error {
	nodes := s.client.Nodes()
	for addr, node := range nodes {
		policy, err := node.Do(ctx, node.B().ConfigGet().Parameter("maxmemory-policy").Build()).AsStrMap()
		if err != nil {
			if _, ok := rueidis.IsRedisErr(err); ok {
				s.config.Logger.LogAttrs(
					ctx, slog.LevelDebug, "redis does not tell its eviction policy", slog.String("addr", addr),
				)
				continue
			}
			if len(nodes) > 1 && ctx.Err() == nil {
				s.config.Logger.LogAttrs(
					ctx, slog.LevelWarn, "a redis server is out of reach, its eviction policy is not known",
					slog.String("addr", addr), slog.Any("error", err),
				)
				continue
			}
			return s.server.Translate(ctx, "read the eviction policy", err)
		}
		if p := policy["maxmemory-policy"]; p != "" && p != "noeviction" {
			if !s.config.AllowEviction {
				return fmt.Errorf("redis at %s may evict keys, which loses tasks: %w", addr,
					&store.FieldError{Field: "AllowEviction", Reason: "is false and maxmemory-policy is " + p})
			}
			s.config.Logger.LogAttrs(
				ctx, slog.LevelWarn, "redis may evict keys, which loses tasks", slog.String("addr", addr),
				slog.String("policy", p),
			)
		}
	}
	return nil
}

// Partitions implements [store.Store].
func (s *Store) Partitions() int { return len(s.spaces) }

// Ping implements [store.Store].
func (s *Store) Ping(ctx context.Context) error {
	if err := s.server.Begin(ctx); err != nil {
		return err
	}
	cmds := make(rueidis.Commands, 0, len(s.spaces))
	for _, k := range s.spaces {
		cmds = append(cmds, s.client.B().Exists().Key(k.Meta).Build())
	}
	for _, r := range s.client.DoMulti(ctx, cmds...) {
		if err := r.Error(); err != nil {
			return s.server.Translate(ctx, "ping", err)
		}
	}
	return nil
}

// Close implements [store.Store]. Calls in flight, and subscriptions, end at once with
// [store.ErrClosed]. A client that was given to [New] stays open, and may continue its calls until
// it gives up the connection. A client that [Open] made is closed: it waits half a second at most
// for a server that does not answer.
func (s *Store) Close() error {
	if s.server.Close() {
		s.end()
		if s.conns != nil {
			late := time.AfterFunc(closeTime, s.conns.cut)
			s.client.Client.Close()
			late.Stop()
			s.conns.cut() // what it was about to make, too
			s.client.Wait()
		}
	}
	return nil
}

// closeTime is how long the client may take to close its connections.
const closeTime = 500 * time.Millisecond

// space is the keyspace of a job.
func (s *Store) space(job string) *format.Keyspace {
	return s.spaces[store.PartitionOf(job, len(s.spaces))]
}

// observe learns the server's clock from a reply.
func (s *Store) observe(now time.Time) {
	if !now.IsZero() {
		s.skew.Store(now.UnixMilli() - time.Now().UnixMilli())
	}
}

// estimate is the server's clock as far as we know it: for stamps, never for deadlines.
func (s *Store) estimate() time.Time {
	return time.UnixMilli(time.Now().UnixMilli() + s.skew.Load())
}

// metaCache remembers what never changes of the runs of a partition. It is
// emptied when it is full: each miss costs one read.
type metaCache struct {
	mu sync.Mutex
	m  map[int64]format.RunMeta
}

const metaCacheSize = 1 << 14

func (c *metaCache) get(number int64) (format.RunMeta, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	m, ok := c.m[number]
	return m, ok
}

func (c *metaCache) put(number int64, m format.RunMeta) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.m == nil || len(c.m) >= metaCacheSize {
		c.m = make(map[int64]format.RunMeta)
	}
	c.m[number] = m
}

// meta reads what never changes of a run; ok is false if the run is gone.
func (s *Store) meta(ctx context.Context, k *format.Keyspace, number int64) (m format.RunMeta, ok bool, err error) {
	cache := s.metas[k.Partition]
	if m, ok = cache.get(number); ok {
		return m, true, nil
	}
	v, err := s.client.Do(ctx, s.client.B().Hmget().Key(k.Run(format.RunID(number))).Field("job", "routes").Build()).
		ToArray()
	if err = s.server.Translate(ctx, "read a run", err); errors.Is(err, store.ErrCorrupt) {
		return format.RunMeta{}, false, nil // as good as gone: the runs beside it go on
	} else if err != nil {
		return format.RunMeta{}, false, err
	}
	if len(v) != 2 || v[0].IsNil() {
		return format.RunMeta{}, false, nil
	}
	m = format.ParseMeta(script.Text(v[0]), script.Text(v[1]))
	cache.put(number, m)
	return m, true, nil
}

// strings of a set or list, without nil checks on each.
func stringsOf(ms []rueidis.RedisMessage) []string {
	out := make([]string, len(ms))
	for i := range ms {
		out[i] = strings.Clone(script.Text(ms[i]))
	}
	return out
}

// hintTries bounds how often a call goes again because what it had read in
// advance no longer holds; each time somebody else made progress.
const hintTries = 100
