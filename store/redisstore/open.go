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

// Open connects to the Redis or Valkey that the URL names and returns a store that owns
// the connection. The forms are
//
//	redis://user:password@host:6379/0      also valkey://; with TLS rediss:// or valkeys://
//	redis://host1:6379?addr=host2:6379     several addresses of one cluster
//	redis://sentinel:26379?master_set=name the master that Sentinel names
//	unix://user:password@/path/to/redis.sock?db=0
//
// User, password, port (6379), host (localhost) and database (0) may be left out; a slash at the
// end means nothing. In a user or password, marks such as # ? / @ % are percent-encoded (%23 %3F
// %2F %40 %25). A cluster is recognised by itself, and has database 0 only. These parameters may
// follow a question mark; each but addr once, and values percent-encoded:
//
//	addr=host:port          a further server of the cluster, or a further sentinel
//	db=0                    the database, if the path names none; the server has 16 by default
//	protocol=2              RESP2, for servers and proxies that lack RESP3. Defaults to 3
//	client_cache=0          no client-side cache: configuration is polled. Defaults to 1
//	client_name=name        what CLIENT LIST shows. Defaults to rollcall: and the namespace
//	dial_timeout=3s         how long making one connection may take
//	write_timeout=10s       after how long without a reply a connection is given up
//	skip_verify=1           TLS with a server whose certificate is not checked. Defaults to 0
//	master_set=name         the master's name: the addresses are those of its sentinels
//	sentinel_username=user  and
//	sentinel_password=word  of the sentinels, which do not have those of the master
//	sentinel_tls=0          whether sentinels are reached by TLS. Defaults to 1 with rediss:// and
//	                        valkeys://, else 0
//
// Errors are those of [New], and a [*store.FieldError] for the field "URL" for each fault of the
// URL: what is not listed here is refused, never ignored. So is, within a few seconds, TLS with a
// server that speaks none, and the reverse; a certificate that is not valid; and a database that
// the server does not have. No error repeats the password, the URL, or what may be a part of
// either. Open does not retry.
//
// It returns when ctx ends, at once, and otherwise within [OpenTime]: a server that is silent for
// so long is one that matches [store.ErrUnavailable].
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
	if err == nil && !awake() { // its connections are cut, or about to be
		err = script.NewServer(nil).Translate(ctx, "connect", context.Cause(ctx))
	}
	if err != nil {
		conns.cut() // or Close would wait for the server
		client.Close()
		return nil, err
	}
	s.conns = conns
	return store.Checked(s), nil
}

// OpenTime is how long [Open] waits for a server, and all that it has to read of it.
const OpenTime = 5 * time.Second

var errSilent = store.Transient(fmt.Errorf("no answer for %v", OpenTime))

// connect makes a client, and does without what the server, or the user's rights, lack: client-side
// caching (configuration is polled then), and the name of the connection, unless the URL gives one.
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

// refusesName reports whether a server does not let this user name a connection.
func refusesName(err error) bool {
	reply, ok := rueidis.IsRedisErr(err)
	return ok && strings.Contains(strings.ToLower(reply.Error()), "client")
}
