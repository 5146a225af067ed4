// Package redisstore stores Rollcall's state in Redis 6.2 or newer, or Valkey: standalone, Sentinel
// or Cluster.
//
// Every state change is one Lua script, which uses keys of one partition. Every script is safe to
// repeat. README.md has the tables of keys and scripts, and says what a crash leaves. A store
// checks its arguments with [store.Checked]. It does not retry: wrap it with [store.WithRetry], as
// syncjob does.
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

// Config configures a [Store].
type Config struct {
	// Namespace is a part of every key, so several systems can share a server. See
	// [store.ValidateName]. Defaults to "rollcall".
	Namespace string

	// Partitions is the number of partitions, at most 1024. The first use of a namespace stores it;
	// later it must be the same, or 0. Jobs are spread over partitions, and partitions over the shards
	// of a cluster. Defaults to the stored number; at first use, to 1 on a single server and 16 on a
	// Cluster.
	Partitions int

	// SweepInterval is how often workers look for dead sessions and remains of ended runs, at least 10
	// ms. It must be the same in all processes of a namespace. Defaults to 5 s.
	SweepInterval time.Duration

	// AllowEviction accepts a server with a maxmemory-policy that may evict keys, and logs a warning.
	// Defaults to false: New refuses such a server, because evicted keys are lost tasks.
	AllowEviction bool

	// Logger gets warnings about conditions that are not errors. Defaults to [slog.DiscardHandler].
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

// Store implements [store.Store] with a rueidis client. Make one with [New] or [Open]. Its methods
// may be called concurrently.
type Store struct {
	server *script.Server
	client *prompt.Client
	conns  *connections // of a client that Open made; nil otherwise
	config Config
	spaces []*format.Keyspace
	metas  []*metaCache

	life context.Context // ends with Close; subscriptions end with it
	end  context.CancelFunc
	hub  *hub
	skew atomic.Int64 // server time minus local time, in ms, from the last reply

	mu       sync.Mutex
	sessions map[store.SessionID]*session
}

var _ store.Store = (*Store)(nil)

// New returns a store that uses the client. Close of the store does not close the client. The
// client should not repeat writes itself. (ConnLifetime of rueidis does, but this is harmless,
// because every call is safe to repeat.) New makes a few round trips: it reads the server's policy
// and the number of partitions of the namespace; at first use it stores the number. Errors: a
// [*store.FieldError] for a bad configuration; [store.ErrUnavailable] if the server does not
// answer, or on a cluster, no server that knows the namespace; [store.ErrCorrupt] if a newer
// version wrote the namespace.
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

// checkEviction refuses a server that may evict keys. It accepts a server without an answer: if the
// user has no right to CONFIG, if there is no such command, or if one of several servers does not
// answer.
func (s *Store) checkEviction(ctx context.Context) error {
	nodes := s.client.Nodes()
	for addr, node := range nodes {
		policy, err := node.Do(ctx, node.B().ConfigGet().Parameter("maxmemory-policy").Build()).AsStrMap()
		if err != nil {
			if _, ok := rueidis.IsRedisErr(err); ok {
				s.config.Logger.LogAttrs(
					ctx, slog.LevelDebug, "redis server does not return its eviction policy", slog.String("addr", addr),
				)
				continue
			}
			if len(nodes) > 1 && ctx.Err() == nil {
				s.config.Logger.LogAttrs(
					ctx, slog.LevelWarn, "redis server does not answer: its eviction policy is not known",
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

// Close implements [store.Store]. Calls in progress and subscriptions end at once with
// [store.ErrClosed]. A client that was passed to [New] stays open; it may continue calls until it
// gives up the connection. A client that [Open] made is closed; Close waits at most half a second
// for a server that does not answer.
func (s *Store) Close() error {
	if s.server.Close() {
		s.end()
		if s.conns != nil {
			late := time.AfterFunc(closeTime, s.conns.cut)
			s.client.Client.Close()
			late.Stop()
			s.conns.cut() // also connections that the client is making
			s.client.Wait()
		}
	}
	return nil
}

// closeTime is how long the client has to close its connections.
const closeTime = 500 * time.Millisecond

// space returns the keyspace of a job.
func (s *Store) space(job string) *format.Keyspace {
	return s.spaces[store.PartitionOf(job, len(s.spaces))]
}

// observe takes the server's time from a reply.
func (s *Store) observe(now time.Time) {
	if !now.IsZero() {
		s.skew.Store(now.UnixMilli() - time.Now().UnixMilli())
	}
}

// estimate estimates the server's time. It is for time stamps, never for deadlines.
func (s *Store) estimate() time.Time {
	return time.UnixMilli(time.Now().UnixMilli() + s.skew.Load())
}

// metaCache remembers data of a partition's runs that never change. When it is full, it is emptied:
// each miss costs one read.
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

// meta reads the data of a run that never change. ok is false if the run is gone.
func (s *Store) meta(ctx context.Context, k *format.Keyspace, number int64) (m format.RunMeta, ok bool, err error) {
	cache := s.metas[k.Partition]
	if m, ok = cache.get(number); ok {
		return m, true, nil
	}
	v, err := s.client.Do(ctx, s.client.B().Hmget().Key(k.Run(format.RunID(number))).Field("job", "routes").Build()).
		ToArray()
	if err = s.server.Translate(ctx, "read a run", err); errors.Is(err, store.ErrCorrupt) {
		return format.RunMeta{}, false, nil // treated as gone, so that other runs go on
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

// stringsOf returns the strings of a set or list. It does not check each for nil.
func stringsOf(ms []rueidis.RedisMessage) []string {
	out := make([]string, len(ms))
	for i := range ms {
		out[i] = strings.Clone(script.Text(ms[i]))
	}
	return out
}

// hintTries limits how often a call is repeated because data that it had read before has changed.
// Each time, another call made progress.
const hintTries = 100
