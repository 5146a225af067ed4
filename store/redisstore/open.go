package redisstore

import (
	"context"
	"errors"
	"net/url"
	"time"

	"github.com/redis/rueidis"

	"github.com/rollcall-go/rollcall/store"
)

// Open connects to the Redis that the URL names and returns a store that owns
// the connection. The forms are
//
//	redis://user:password@host:6379/0      TLS with rediss://
//	redis://host1:6379?addr=host2:6379     several addresses of one cluster
//	redis://sentinel:26379?master_set=name the master that Sentinel names
//	unix:///path/to/redis.sock
//
// with the options that [rueidis.ParseURL] knows. A cluster is recognised by
// itself. Errors are those of [New], and a [*store.FieldError] for the field
// "URL", which never repeats the URL since it may hold a password. Open does not retry.
func Open(ctx context.Context, address string, config Config) (*Store, error) {
	config = config.withDefaults()
	if err := config.validate(); err != nil {
		return nil, err
	}
	option, err := ParseURL(address)
	if err != nil {
		return nil, err
	}
	if err := context.Cause(ctx); err != nil {
		return nil, err
	}
	if deadline, ok := ctx.Deadline(); ok {
		// The client's constructor takes no context. Later connections keep this bound, so it is not made too small.
		option.Dialer.Timeout = max(time.Second, min(option.Dialer.Timeout, time.Until(deadline)))
	}
	client, err := rueidis.NewClient(option)
	if errors.Is(err, rueidis.ErrNoCache) {
		option.DisableCache = true // without CLIENT TRACKING, or the right to it, configuration is polled
		client, err = rueidis.NewClient(option)
	}
	if err != nil {
		return nil, (&Store{config: config}).translate(ctx, "connect", err)
	}
	s, err := newStore(ctx, client, true, config)
	if err != nil {
		client.Close()
		return nil, err
	}
	return s, nil
}

// ParseURL turns a URL as [Open] takes it into options for a client of one's
// own, with the settings that Rollcall is tested with: no retries by the client, since the store's own layer repeats what is
// safe to repeat, within a limit; and a small client-side cache, in which workers have the configuration of their sets, so that they ask for it
// without a command. Open does without where the server, or the user's rights, lack CLIENT TRACKING; one's own client
// is refused there, and needs DisableCache or client_cache=0 in the URL. Workers then ask the server four times a second.
func ParseURL(address string) (rueidis.ClientOption, error) {
	if address == "" {
		return rueidis.ClientOption{}, &store.FieldError{Field: "URL", Reason: "is empty"}
	}
	option, err := rueidis.ParseURL(address)
	if err != nil {
		reason := "is not of the form redis://host:port"
		var bad *url.Error
		if errors.As(err, &bad) {
			reason = "does not parse as a URL" // its text would repeat the password
		}
		return rueidis.ClientOption{}, &store.FieldError{Field: "URL", Reason: reason}
	}
	option.CacheSizeEachConn = cacheSize
	if option.AlwaysRESP2 {
		option.DisableCache = true // invalidations come with RESP3 only
	}
	option.DisableRetry = true
	if option.Dialer.Timeout == 0 {
		option.Dialer.Timeout = 5 * time.Second
	}
	if option.Dialer.KeepAlive == 0 {
		option.Dialer.KeepAlive = pingGap
	}
	if option.ConnWriteTimeout == 0 {
		option.ConnWriteTimeout = replyTimeout
	}
	return option, nil
}

const (
	// pingGap is after how long a silent connection is asked for a sign of life. The client's own second would make pings most of
	// what an idle worker costs.
	pingGap = 5 * time.Second
	// replyTimeout is after how long without a reply a connection is given up: the client's default for its default gap.
	replyTimeout = 10 * time.Second
)

// cacheSize bounds what a connection remembers, in bytes: the configurations of some handler sets.
const cacheSize = 16 << 20
