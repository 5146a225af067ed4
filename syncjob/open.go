package syncjob

import (
	"context"
	"errors"
	"fmt"
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
//	memory://                           in this process and gone with it; every Open makes a new store
//	redis://user:password@host:port/db  Redis or Valkey; rediss:// with TLS
//
// redisstore.Open lists other forms (valkey://, unix://, Sentinel, Cluster) and all parameters. For
// options of the store (partitions, sweep interval, eviction), use redisstore.Open and [New], and
// close the store yourself.
//
// Open tries for 2 s to reach the server; then the error matches [ErrUnavailable]. A URL that is
// not valid, or that does not fit the server (TLS, the database), gives a [*FieldError] of the
// field "URL" for each problem. No error contains the password of the URL, or a part of it.
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
	if scheme, rest, ok := strings.Cut(rawURL, ":"); ok && strings.EqualFold(scheme, "memory") {
		if rest != "" && rest != "//" {
			return nil, &FieldError{Field: "URL", Reason: "has something after memory://"}
		}
		return memstore.New(nil), nil
	}
	// The calls that Open makes are safe to repeat, as all later calls are.
	return store.Repeat(
		ctx,
		&store.RetryOptions{MaxElapsed: openTime},
		"Open",
		func(ctx context.Context) (store.Store, error) {
			return redisstore.Open(ctx, rawURL, redisstore.Config{Namespace: cfg.Namespace, Logger: cfg.Logger})
		},
	)
}
