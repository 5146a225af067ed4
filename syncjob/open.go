package syncjob

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"strings"
	"time"

	"github.com/rollcall-go/rollcall/store"
	"github.com/rollcall-go/rollcall/store/memstore"
	"github.com/rollcall-go/rollcall/store/redisstore"
)

// openTime bounds how long Open tries to reach a server.
const openTime = 2 * time.Second

// Open connects to a store and returns a manager on it, whose Close closes it:
//
//	memory://                            in this process, gone with it; every Open is a store of its own
//	redis://[user:password@]host:port/db  Redis or Valkey; rediss:// with TLS
//
// The forms for Sentinel and Cluster are those of package redisstore; for its options (partitions, sweep
// interval, eviction) use [redisstore.Open] and [New], and close the store yourself. A server that does not
// answer is tried for 2 s. An URL that does not parse is a [*FieldError] for the field "URL"; a server that cannot be reached
// matches [ErrUnavailable]. No error holds the URL's password.
func Open(ctx context.Context, rawURL string, cfg Config) (*Manager, error) {
	cfg.setDefaults()
	if err := cfg.validate(); err != nil {
		return nil, fmt.Errorf("open: %w", err)
	}
	s, err := openStore(ctx, rawURL, cfg)
	if err != nil {
		return nil, fmt.Errorf("open: %w", err)
	}
	m, err := New(s, cfg)
	if err != nil {
		return nil, errors.Join(err, s.Close())
	}
	m.owned = s
	return m, nil
}

func openStore(ctx context.Context, rawURL string, cfg Config) (store.Store, error) {
	u, err := url.Parse(rawURL)
	switch {
	case rawURL == "":
		return nil, &FieldError{Field: "URL", Reason: "is empty"}
	case err != nil:
		return nil, &FieldError{Field: "URL", Reason: "does not parse"} // the cause would quote it
	case u.Scheme == "memory":
		return memstore.New(nil), nil
	case strings.HasPrefix(u.Scheme, "redis"):
		// What Open reads and agrees on is safe to repeat, as all later calls are.
		return store.Repeat(ctx, &store.RetryOptions{MaxElapsed: openTime}, "Open", func(ctx context.Context) (store.Store, error) {
			return redisstore.Open(ctx, rawURL, redisstore.Config{Namespace: cfg.Namespace, Logger: cfg.Logger})
		})
	}
	return nil, &FieldError{Field: "URL", Reason: "has a scheme that is not memory, redis or rediss"}
}
