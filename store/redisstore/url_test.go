package redisstore_test

import (
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/redis/rueidis"
	"github.com/stretchr/testify/require"

	"github.com/rollcall-go/rollcall/store"
	"github.com/rollcall-go/rollcall/store/redisstore"
)

func TestURLsMeanWhatTheyMeanElsewhere(t *testing.T) {
	for url, want := range map[string]rueidis.ClientOption{
		"redis://":                            {InitAddress: []string{"localhost:6379"}},
		"redis:///":                           {InitAddress: []string{"localhost:6379"}},
		"REDIS://Host":                        {InitAddress: []string{"Host:6379"}},
		"redis://host:":                       {InitAddress: []string{"host:6379"}},
		"redis://host:6380/":                  {InitAddress: []string{"host:6380"}},
		"valkey://host:6380/7":                {InitAddress: []string{"host:6380"}, SelectDB: 7},
		"redis://host/7/":                     {InitAddress: []string{"host:6379"}, SelectDB: 7},
		"redis://host?db=7":                   {InitAddress: []string{"host:6379"}, SelectDB: 7},
		"redis://[::1]":                       {InitAddress: []string{"[::1]:6379"}},
		"redis://[fe80::1%25eth0]:1/":         {InitAddress: []string{"[fe80::1%eth0]:1"}},
		"redis://u:p@h":                       {InitAddress: []string{"h:6379"}, Username: "u", Password: "p"},
		"redis://:p%23%2F%3F%40%25@h":         {InitAddress: []string{"h:6379"}, Password: "p#/?@%"},
		"redis://:a@b@h":                      {InitAddress: []string{"h:6379"}, Password: "a@b"},
		"redis://a:1?addr=b:2&addr=c":         {InitAddress: []string{"a:1", "b:2", "c:6379"}},
		"redis://a?addr=[::2]:3":              {InitAddress: []string{"a:6379", "[::2]:3"}},
		"redis://a/?protocol=2":               {InitAddress: []string{"a:6379"}, AlwaysRESP2: true, DisableCache: true},
		"redis://a?client_cache=0&protocol=3": {InitAddress: []string{"a:6379"}, DisableCache: true},
		"redis://a?client_name=me":            {InitAddress: []string{"a:6379"}, ClientName: "me"},
		"unix:///tmp/redis.sock":              {InitAddress: []string{"/tmp/redis.sock"}},
		"unix://u:p@/tmp/a@b.sock?db=3":       {InitAddress: []string{"/tmp/a@b.sock"}, Username: "u", Password: "p", SelectDB: 3},
		"redis://u:p@s:1?master_set=m&sentinel_username=su&sentinel_password=s%40p": {
			InitAddress: []string{"s:1"}, Username: "u", Password: "p",
			Sentinel: rueidis.SentinelOption{MasterSet: "m", Username: "su", Password: "s@p"},
		},
	} {
		got, err := redisstore.ParseURL(url)
		require.NoError(t, err, url)
		require.Equal(t, strings.HasPrefix(url, "unix"), got.DialCtxFn != nil, url)
		require.Equal(t, 3*time.Second, got.Dialer.Timeout, url)
		require.Equal(t, got.ClientName, got.Sentinel.ClientName, url)
		require.Nil(t, got.TLSConfig, url)
		require.Nil(t, got.Sentinel.TLSConfig, url)
		got = rueidis.ClientOption{
			InitAddress: got.InitAddress, Username: got.Username, Password: got.Password, SelectDB: got.SelectDB, ClientName: got.ClientName,
			AlwaysRESP2: got.AlwaysRESP2, DisableCache: got.DisableCache,
			Sentinel: rueidis.SentinelOption{
				MasterSet: got.Sentinel.MasterSet,
				Username:  got.Sentinel.Username,
				Password:  got.Sentinel.Password,
			},
		}
		require.Equal(t, want, got, url)
	}
}

func TestURLsAskForTLS(t *testing.T) {
	for url, want := range map[string]struct {
		server, sentinel bool
		name             string
		unchecked        bool
	}{
		"rediss://host":                                 {server: true, sentinel: true, name: "host"},
		"valkeys://[::1]:6380/":                         {server: true, sentinel: true, name: "::1"},
		"rediss://host?skip_verify":                     {server: true, sentinel: true, name: "host", unchecked: true},
		"rediss://host?skip_verify=1":                   {server: true, sentinel: true, name: "host", unchecked: true},
		"rediss://host?skip_verify=0":                   {server: true, sentinel: true, name: "host"},
		"rediss://sentinel?master_set=m":                {server: true, sentinel: true},
		"rediss://sentinel?master_set=m&sentinel_tls=0": {server: true},
		"redis://sentinel?master_set=m&sentinel_tls=1":  {sentinel: true},
	} {
		got, err := redisstore.ParseURL(url)
		require.NoError(t, err, url)
		require.Equal(t, want.server, got.TLSConfig != nil, url)
		require.Equal(t, want.sentinel, got.Sentinel.TLSConfig != nil, url)
		if want.server {
			require.Equal(t, want.name, got.TLSConfig.ServerName, url)
			require.Equal(t, want.unchecked, got.TLSConfig.InsecureSkipVerify, url)
		}
	}
}

// secret stands for a password, or a part of one, that no error may hold.
const secret = "5ecret"

func TestWhatAURLDoesNotKnowIsRefusedByName(t *testing.T) {
	for url, want := range map[string]string{
		"":                                                  "is empty",
		"localhost":                                         "form redis://host:port",
		"localhost:6379":                                    "form redis://host:port",
		"127.0.0.1:6379":                                    "form redis://host:port",
		"redis:localhost:6379":                              "form redis://host:port",
		"http://localhost":                                  "none of redis, rediss, valkey, valkeys, unix",
		"redis+tls://localhost":                             "none of redis, rediss, valkey, valkeys, unix",
		"redis://localhost\n":                               "white space",
		"redis://local host":                                "white space",
		"redis://user:5ecret@[::1":                          "does not parse",
		"redis://user:5ecr%et@host":                         "does not parse",
		"redis://:6379#5ecret@realhost":                     "%23",
		"redis://host:6379/#":                               "%23",
		"redis://host/0#5ecret":                             "%23",
		"redis://user:5ecret?x@host":                        "%3F",
		"redis://user:12?5ecret@host":                       "%3F",
		"redis://:12?5ecret=1&db=0@host":                    "%3F",
		"redis://a:b@c?5ecret@host":                         "%3F",
		"redis://user:5ecret/x@host":                        "%2F",
		"redis://user:12/5ecret@host":                       "%2F",
		"redis://a:b@c/5ecret@host":                         "%2F",
		"redis://:5ecret@localhost/x":                       "number of a database",
		"redis://:5ecret@localhost/0/1":                     "number of a database",
		"redis://localhost/-1":                              "number of a database",
		"redis://localhost/+1":                              "number of a database",
		"redis://localhost/99999999999":                     "number of a database",
		"redis://localhost?db=one":                          "parameter db, which is not the number",
		"redis://localhost?db=":                             "parameter db, which is not the number",
		"redis://localhost/1?db=1":                          "database twice",
		"redis://localhost:0":                               "host or port",
		"redis://a,b":                                       "addr=host:port",
		"redis://a:1,b:2":                                   "addr=host:port",
		"redis://:5ecret@a,b:2":                             "addr=host:port",
		"redis://a?addr=b,c:1":                              "addr=host:port",
		"redis://localhost:99999999999999999999":            "host or port",
		"redis://localhost:65536":                           "host or port",
		"redis://::1":                                       "host or port",
		"redis://localhost?addr=b:x":                        "host or port",
		"redis://localhost?addr=":                           "parameter addr, which is empty",
		"redis://localhost?db=1&db=2":                       "parameter db more than once",
		"redis://localhost?max_retries=3":                   `unknown parameter "max_retries"`,
		"redis://localhost?Protocol=3":                      `unknown parameter "Protocol"`,
		"redis://localhost?%s=1":                            "do not parse",
		"redis://localhost?a=1;b=2":                         "do not parse",
		"redis://localhost?protocol=4":                      "parameter protocol, which is neither 2 nor 3",
		"redis://localhost?protocol":                        "parameter protocol, which is neither 2 nor 3",
		"redis://localhost?client_cache=no":                 "parameter client_cache, which is neither 0 nor 1",
		"redis://localhost?client_name=a%20b":               "parameter client_name, which has characters",
		"redis://localhost?client_name=":                    "parameter client_name, which is empty",
		"redis://localhost?dial_timeout=3":                  "parameter dial_timeout, which is not a duration",
		"redis://localhost?write_timeout=9999999h":          "parameter write_timeout, which is not a duration",
		"redis://localhost?write_timeout=-3s":               "parameter write_timeout, which is not a duration",
		"redis://localhost?skip_verify=1":                   "parameter skip_verify, which is for TLS",
		"rediss://localhost?skip_verify=yes":                "parameter skip_verify, which is neither 0 nor 1",
		"redis://s?master_set=":                             "parameter master_set, which is empty",
		"redis://s?sentinel_password=5ecret":                "parameter sentinel_password without master_set",
		"redis://s?sentinel_tls=1":                          "parameter sentinel_tls without master_set",
		"redis://s?master_set=m&sentinel_password=5ecret@x": "%40",
		"unix://tmp/redis.sock":                             "absolute path",
		"unix://":                                           "absolute path",
		"unix:///a?addr=b":                                  "parameter addr, which is for servers",
		"unix:///a?skip_verify=1":                           "parameter skip_verify, which is for TLS",
	} {
		_, err := redisstore.Open(t.Context(), url, redisstore.Config{})
		var bad *store.FieldError
		require.ErrorAs(t, err, &bad, url)
		require.Equal(t, "URL", bad.Field)
		require.ErrorContains(t, err, want, url)
		require.NotContains(t, err.Error(), secret)
		t.Logf("%q: %v", url, err)
	}
}

func TestAllFaultsOfAURLAreReportedAtOnce(t *testing.T) {
	_, err := redisstore.ParseURL("redis://host:0/x?protocol=4&speed=high")
	for _, fault := range []string{"host or port", "number of a database", "protocol", "speed"} {
		require.ErrorContains(t, err, fault)
	}
}

func TestOpenListsTheParametersThatThereAre(t *testing.T) {
	doc, err := os.ReadFile("open.go")
	require.NoError(t, err)
	code, err := os.ReadFile("url.go")
	require.NoError(t, err)
	names := func(text []byte, pattern string) (all []string) {
		for _, found := range regexp.MustCompile(pattern).FindAllSubmatch(text, -1) {
			all = append(all, string(found[1]))
		}
		slices.Sort(all)
		return all
	}
	there := names(code, `(?m)^\t"(\w+)":`)
	require.NotEmpty(t, there)
	require.Equal(t, there, names(doc, `(?m)^//\t(\w+)=`))
}
