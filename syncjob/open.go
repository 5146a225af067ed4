package syncjob

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"strings"

	"github.com/rollcall-go/rollcall/store"
	"github.com/rollcall-go/rollcall/store/memstore"
	"github.com/rollcall-go/rollcall/store/redisstore"
)

// Open connects to a store and returns a manager on it, whose Close closes it:
//
//	memory://                            in this process, gone with it; every Open is a store of its own
//	redis://[user:password@]host:port/db  Redis or Valkey; rediss:// with TLS
//
// The forms for Sentinel and Cluster are those of package redisstore. An URL that does
// not parse is a [*FieldError] for the field "URL"; a server that cannot be reached
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
		return redisstore.Open(ctx, rawURL, redisstore.Config{Namespace: cfg.Namespace, Logger: cfg.Logger})
	}
	return nil, &FieldError{Field: "URL", Reason: "has a scheme that is not memory, redis or rediss"}
}
