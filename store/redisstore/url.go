package redisstore

import (
	"crypto/tls"
	"fmt"
	"maps"
	"net"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/redis/rueidis"

	"github.com/rollcall-go/rollcall/store"
)

// ParseURL turns a URL in the form for [Open] into options for your own client. They are the
// settings with which Rollcall is tested. The client does not retry, because the store's own layer
// repeats calls within a limit. It has a small client-side cache: workers read the configurations
// of their sets from it without a command. If the server or the user's rights do not allow CLIENT
// TRACKING, Open works without this cache. Your own client fails then: set DisableCache, or
// client_cache=0 in the URL. Without the cache, workers ask the server four times a second.
//
// It makes no call. It refuses everything that it does not know, with a [*store.FieldError] for
// each problem.
func ParseURL(address string) (rueidis.ClientOption, error) {
	u, reason := splitURL(address)
	if reason != "" {
		return rueidis.ClientOption{}, &store.FieldError{Field: "URL", Reason: reason}
	}
	secure := u.Scheme == "rediss" || u.Scheme == "valkeys"
	r := urlReader{u: u, secure: secure, secureSentinel: secure, cache: true}
	r.option = rueidis.ClientOption{
		CacheSizeEachConn: cacheSize,
		DisableRetry:      true,
		Dialer:            net.Dialer{Timeout: dialTimeout, KeepAlive: pingGap},
		ConnWriteTimeout:  replyTimeout,
	}
	r.address()
	r.database()
	r.parameters()
	r.transport()
	if len(r.errs) > 0 {
		return rueidis.ClientOption{}, store.JoinFields(r.errs...)
	}
	return r.option, nil
}

const (
	// dialTimeout is the longest time to make one connection, and then for its first exchange.
	dialTimeout = 3 * time.Second
	// pingGap is after how long an idle connection is pinged. With the client's default of a second,
	// pings would be most of the cost of an idle worker.
	pingGap = 5 * time.Second
	// replyTimeout is time without a reply after which a connection is given up: the client's default
	// for its default gap.
	replyTimeout = 10 * time.Second
	// cacheSize is the largest size of a connection's cache, in bytes. It has the configurations of
	// some handler sets.
	cacheSize = 16 << 20
	// defaultPort is the port of Redis.
	defaultPort = "6379"
)

var schemes = []string{"redis", "rediss", "valkey", "valkeys", "unix"}

// splitURL splits a URL, and refuses one that is not the URL of a server. The main case is a
// password with marks (# ? /) that are not encoded, so that the rest of the URL is read wrongly. A
// reason never repeats a part of the URL that may belong to a password.
func splitURL(address string) (*url.URL, string) {
	const form = "is not of the form redis://host:port"
	if address == "" {
		return nil, "is empty"
	}
	if strings.ContainsFunc(address, func(c rune) bool { return c <= ' ' || c == 0x7f }) {
		return nil, "has white space or control characters"
	}
	u, err := url.Parse(address)
	switch {
	case strings.Contains(address, "#"):
		return nil, "has a fragment (#), which means nothing: in a password, # is written %23"
	case err != nil && strings.Contains(address, "://"):
		return nil, "does not parse as a URL: in a user or password, marks such as / ? [ ] % are written %2F %3F %5B %5D %25"
	case err != nil || u.Scheme == "" || u.Opaque != "":
		return nil, form
	case !slices.Contains(schemes, u.Scheme):
		return nil, "has a scheme that is none of " + strings.Join(schemes, ", ")
	case strings.Contains(u.RawQuery, "@") && u.User == nil:
		return nil, "has a @ behind a ?: in a password, ? is written %3F, and in a parameter, @ is written %40"
	case u.Scheme != "unix" && strings.Contains(u.Path, "@"):
		return nil, "has a @ behind a /: in a password, / is written %2F"
	}
	return u, ""
}

// urlReader fills the options of a client from a URL, and collects all problems.
type urlReader struct {
	u      *url.URL
	secure bool // with TLS
	option rueidis.ClientOption
	errs   []error

	cache, skipVerify, secureSentinel bool
}

func (r *urlReader) bad(format string, args ...any) {
	r.errs = append(r.errs, &store.FieldError{Field: "URL", Reason: fmt.Sprintf(format, args...)})
}

// address reads the user and the address of the server.
func (r *urlReader) address() {
	r.option.Username = r.u.User.Username()
	r.option.Password, _ = r.u.User.Password()
	if r.u.Scheme != "unix" {
		r.server("the address", r.u.Host)
		return
	}
	if r.u.Host != "" || r.u.Path == "" {
		r.bad("names no absolute path of a socket, as unix:///path/to/redis.sock does")
	}
	r.option.InitAddress = []string{r.u.Path}
}

// server adds an address, with the default port if it has none.
func (r *urlReader) server(what, hostport string) {
	if strings.Contains(hostport, ",") {
		r.bad("has several servers in %s: each but the first has a parameter of its own, addr=host:port", what)
		return
	}
	u := url.URL{Host: hostport}
	host, port := u.Hostname(), u.Port()
	if host == "" {
		host = "localhost"
	}
	if port == "" {
		port = defaultPort
	}
	// If the port is not valid, Port is empty, and the host still has the colon.
	if n, _ := strconv.Atoi(port); n < 1 || n > 65535 || // one that is too large for an int gives the largest
		strings.Contains(host, ":") && net.ParseIP(withoutZone(host)) == nil {
		r.bad("has a host or port, in %s, that is not valid", what)
	}
	r.option.InitAddress = append(r.option.InitAddress, net.JoinHostPort(host, port))
}

func withoutZone(host string) string {
	host, _, _ = strings.Cut(host, "%")
	return host
}

// database reads the number in the path.
func (r *urlReader) database() {
	path := strings.TrimSuffix(strings.TrimPrefix(r.u.Path, "/"), "/")
	if r.u.Scheme == "unix" || path == "" {
		return
	}
	if r.u.Query().Has("db") {
		r.bad("has its database twice, in the path and in db")
	}
	if reason := r.setDatabase(path); reason != "" {
		r.bad("has a path that %s", reason)
	}
}

func (r *urlReader) setDatabase(number string) (reason string) {
	n, err := strconv.ParseUint(number, 10, 31)
	if err != nil {
		return "is not the number of a database"
	}
	r.option.SelectDB = int(n)
	return ""
}

// parameters reads the part after the question mark.
func (r *urlReader) parameters() {
	query, err := url.ParseQuery(r.u.RawQuery)
	if err != nil {
		r.bad("has parameters that do not parse: they have the form name=value&name=value")
		return
	}
	for _, name := range slices.Sorted(maps.Keys(query)) {
		set, ok := parameters[name]
		switch {
		case !ok && strings.Contains(r.u.RawQuery, "@"): // the name may be part of a password
			r.bad("has an unknown parameter; in a password, ? is written %%3F")
		case !ok:
			r.bad("has the unknown parameter %q", name)
		case len(query[name]) > 1 && name != "addr":
			r.bad("has the parameter %s more than once", name)
		default:
			for _, value := range query[name] {
				if reason := set(r, value); reason != "" {
					r.bad("has the parameter %s, which %s", name, reason)
				}
			}
		}
	}
	if r.option.Sentinel.MasterSet == "" {
		for _, name := range []string{"sentinel_username", "sentinel_password", "sentinel_tls"} {
			if query.Has(name) {
				r.bad("has the parameter %s without master_set", name)
			}
		}
	}
}

// parameters are the parameters of a URL, as in the doc of [Open]. Each function takes a value and
// returns what is wrong with it; empty if nothing is.
var parameters = map[string]func(r *urlReader, value string) (reason string){
	"addr": func(r *urlReader, value string) string {
		switch {
		case r.u.Scheme == "unix":
			return "is for servers that are reached by TCP"
		case value == "":
			return "is empty"
		}
		r.server("addr", value)
		return ""
	},
	"db":            (*urlReader).setDatabase,
	"dial_timeout":  func(r *urlReader, value string) string { return setDuration(&r.option.Dialer.Timeout, value) },
	"write_timeout": func(r *urlReader, value string) string { return setDuration(&r.option.ConnWriteTimeout, value) },
	"client_name":   (*urlReader).setName,
	"client_cache":  func(r *urlReader, value string) string { return setBool(&r.cache, value) },
	"protocol": func(r *urlReader, value string) string {
		if value != "2" && value != "3" {
			return "is neither 2 nor 3"
		}
		r.option.AlwaysRESP2 = value == "2"
		return ""
	},
	"skip_verify": func(r *urlReader, value string) string {
		if !r.secure {
			return "is for TLS, that is, the schemes rediss and valkeys"
		}
		if value == "" {
			value = "1"
		}
		return setBool(&r.skipVerify, value)
	},
	"master_set": func(r *urlReader, value string) string { return setText(&r.option.Sentinel.MasterSet, value) },
	"sentinel_username": func(r *urlReader, value string) string {
		return setText(&r.option.Sentinel.Username, value)
	},
	"sentinel_password": func(r *urlReader, value string) string {
		return setText(&r.option.Sentinel.Password, value)
	},
	"sentinel_tls": func(r *urlReader, value string) string { return setBool(&r.secureSentinel, value) },
}

func setText(to *string, value string) (reason string) {
	if value == "" {
		return "is empty"
	}
	*to = value
	return ""
}

func setBool(to *bool, value string) (reason string) {
	if value != "0" && value != "1" {
		return "is neither 0 nor 1"
	}
	*to = value == "1"
	return ""
}

func setDuration(to *time.Duration, value string) (reason string) {
	d, _ := time.ParseDuration(value) // 0 if it is none
	if d <= 0 {
		return "is not a duration such as 3s or 500ms"
	}
	*to = d
	return ""
}

// setName accepts the names that the server accepts: ASCII without spaces.
func (r *urlReader) setName(name string) (reason string) {
	if strings.ContainsFunc(name, func(c rune) bool { return c <= ' ' || c > '~' }) {
		return "has characters that Redis does not allow in the name of a client"
	}
	return setText(&r.option.ClientName, name)
}

// transport sets how connections are made. It is called last.
func (r *urlReader) transport() {
	o := &r.option
	o.DisableCache = !r.cache || o.AlwaysRESP2 // only RESP3 has invalidations
	o.Sentinel.Dialer, o.Sentinel.ClientName = o.Dialer, o.ClientName
	if r.u.Scheme == "unix" {
		o.DialCtxFn = dialUnix
		return
	}
	if !r.secure && !r.secureSentinel {
		return
	}
	o.DialCtxFn = dialTCP
	config := func(secure bool) *tls.Config {
		if !secure {
			return nil
		}
		c := &tls.Config{MinVersion: tls.VersionTLS12, InsecureSkipVerify: r.skipVerify}
		if o.Sentinel.MasterSet == "" {
			// Nodes of a cluster return addresses that certificates do not have. A sentinel and its master
			// each have a name.
			c.ServerName, _, _ = net.SplitHostPort(o.InitAddress[0])
		}
		return c
	}
	o.TLSConfig, o.Sentinel.TLSConfig = config(r.secure), config(r.secureSentinel)
}
