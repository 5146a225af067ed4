package redisstore

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/redis/rueidis"

	"github.com/rollcall-go/rollcall/store"
	"github.com/rollcall-go/rollcall/store/redisstore/internal/script"
)

// Open connects to the Redis or Valkey at the URL, and returns a store that closes the connection.
// The forms of the URL are
//
//	redis://user:password@host:6379/0      also valkey://; with TLS rediss:// or valkeys://
//	redis://host1:6379?addr=host2:6379     several addresses of one cluster
//	redis://sentinel:26379?master_set=name the master, found by Sentinel
//	unix://user:password@/path/to/redis.sock?db=0
//
// User, password, port (6379), host (localhost) and database (0) may be left out. A slash at the
// end has no meaning. In a user or password, characters such as # ? / @ % must be percent-encoded
// (%23 %3F %2F %40 %25). A cluster is recognised automatically, and has only database 0. These
// parameters may follow a question mark. Their values are percent-encoded. Only addr may be
// repeated:
//
//	addr=host:port          another server of the cluster, or another sentinel
//	db=0                    the database, if not in the path; the server has 16 by default
//	protocol=2              RESP2, for servers and proxies that lack RESP3. Defaults to 3
//	client_cache=0          no client-side cache: configurations are polled. Defaults to 1
//	client_name=name        what CLIENT LIST shows. Defaults to rollcall: and the namespace
//	dial_timeout=3s         the longest time to make one connection
//	write_timeout=10s       time without a reply after which a connection is given up
//	skip_verify=1           TLS without a check of the server's certificate. Defaults to 0
//	master_set=name         the master's name; the addresses are those of its sentinels
//	sentinel_username=user  and
//	sentinel_password=word  of the sentinels; those of the master are not used for them
//	sentinel_tls=0          1 if sentinels use TLS, 0 if not. Defaults to 1 with rediss:// and
//	                        valkeys://, else 0
//
// The errors are those of [New], and a [*store.FieldError] of the field "URL" for each problem of
// the URL. Everything that is not listed here is refused, never ignored. These are also problems of
// the URL, found within a few seconds: TLS with a server that does not use it, and the reverse; a
// certificate that is not valid; and a database that the server does not have. No error contains
// the password, the URL, or a possible part of one. Open does not retry.
//
// It returns at once when ctx ends, and otherwise within [OpenTime]. If the server does not answer
// by then, the error matches [store.ErrUnavailable].
func Open(ctx context.Context, address string, config Config) (store.Store, error) {
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
	ctx, cancel := context.WithTimeoutCause(ctx, OpenTime, errSilent)
	defer cancel()
	conns := watch(&option)
	awake := context.AfterFunc(ctx, conns.cut)
	client, err := connect(option, config.Namespace)
	if err != nil {
		if wrong := wrongURL(ctx, &option, err); wrong != nil {
			return nil, wrong
		}
		return nil, script.NewServer(nil).Translate(ctx, "connect", err)
	}
	s, err := newStore(ctx, client, config)
	if err == nil && !awake() { // its connections are cut, or will be
		err = script.NewServer(nil).Translate(ctx, "connect", context.Cause(ctx))
	}
	if err != nil {
		conns.cut() // otherwise Close would wait for the server
		client.Close()
		return nil, err
	}
	s.conns = conns
	return store.Checked(s), nil
}

// OpenTime is how long [Open] waits for a server and for all its answers.
const OpenTime = 5 * time.Second

var errSilent = store.Transient(fmt.Errorf("no answer for %v", OpenTime))

// connect makes a client. It works without client-side caching if the server or the user's rights
// do not allow it; then configurations are polled. It also works without the name of the
// connection, unless the URL has one.
func connect(option rueidis.ClientOption, namespace string) (rueidis.Client, error) {
	named := option.ClientName != ""
	if !named {
		option.ClientName = "rollcall:" + namespace
		option.Sentinel.ClientName = option.ClientName
	}
	for {
		client, err := rueidis.NewClient(option)
		switch {
		case errors.Is(err, rueidis.ErrNoCache) && !option.DisableCache:
			option.DisableCache = true
		case !named && refusesName(err):
			option.ClientName, option.Sentinel.ClientName, named = "", "", true
		default:
			return client, err
		}
	}
}

// refusesName reports whether the server does not allow this user to name a connection.
func refusesName(err error) bool {
	reply, ok := rueidis.IsRedisErr(err)
	return ok && strings.Contains(strings.ToLower(reply.Error()), "client")
}
