package redisstore

import (
	"context"
	"embed"
	"fmt"
	"strconv"
	"strings"

	"github.com/redis/rueidis"

	"github.com/rollcall-go/rollcall/store"
)

//go:embed lua/*.lua
var luaFiles embed.FS

// script is one Lua file behind the shared prelude. Only the methods of Store named after them execute scripts.
type script struct {
	name string
	lua  *rueidis.Lua
}

// newScript puts the prelude, and what else a family of scripts shares, in front of a script.
func newScript(name string, shared ...string) *script {
	var source strings.Builder
	for _, part := range append(append([]string{"prelude"}, shared...), name) {
		b, err := luaFiles.ReadFile("lua/" + part + ".lua")
		if err != nil {
			panic(err) // embedded
		}
		source.Write(b)
		source.WriteByte('\n')
	}
	return &script{name: name, lua: rueidis.NewLuaScript(source.String())}
}

var (
	openProducerScript = newScript("open_producer")
	enqueueScript      = newScript("enqueue")
	fetchScript        = newScript("fetch")
	settleScript       = newScript("settle", "values", "bury")
	stageScript        = newScript("stage")
	activateScript     = newScript("activate")
	promoteScript      = newScript("promote")
	openSessionScript  = newScript("open_session")
	closeSessionScript = newScript("close_session")
	reconsiderScript   = newScript("reconsider")
	heartbeatScript    = newScript("heartbeat")
	reclaimScript      = newScript("reclaim")
	startRunScript     = newScript("start_run", "begin_run")
	fireRunScript      = newScript("fire_run", "begin_run")
	stopRunScript      = newScript("stop_run")
	pauseRunScript     = newScript("pause_run")
	endIdleScript      = newScript("end_idle")
	releaseKeptScript  = newScript("release_kept")
	sweepScript        = newScript("sweep")
	forgetRunScript    = newScript("forget_run", "values")
	ensureJobScript    = newScript("ensure_job")
	disableJobScript   = newScript("disable_job")
	deleteJobScript    = newScript("delete_job", "values")
	writeValuesScript  = newScript("write_values", "values")
	readValueScript    = newScript("read_value", "values")
	readFailuresScript = newScript("read_failures")
	readFieldsScript   = newScript("read_fields")
	configureScript    = newScript("configure")
	setModeScript      = newScript("set_mode")

	repairKeysScript    = newScript("repair_keys")
	repairSessionScript = newScript("repair_session")
	repairJobScript     = newScript("repair_job")
	repairRunScript     = newScript("repair_run")
	repairStagedScript  = newScript("repair_staged")
	quarantineScript    = newScript("quarantine", "bury")
)

// run executes the script. Every script replies with an array.
func (s *Store) run(ctx context.Context, sc *script, c *call) ([]rueidis.RedisMessage, error) {
	if err := s.begin(ctx); err != nil {
		return nil, err
	}
	reply, err := sc.lua.Exec(ctx, s.client, c.keys, c.args).ToArray()
	if err != nil {
		return nil, s.translate(ctx, sc.name, err)
	}
	return reply, nil
}

// word runs a script whose reply begins with a word and passes that on with the rest.
func (s *Store) word(ctx context.Context, sc *script, c *call) (string, []rueidis.RedisMessage, error) {
	reply, err := s.run(ctx, sc, c)
	if err != nil {
		return "", nil, err
	}
	if len(reply) == 0 {
		return "", nil, fmt.Errorf("%w: empty reply to %s", store.ErrCorrupt, sc.name)
	}
	return text(reply[0]), reply[1:], nil
}

// unexpected is the error for a word that the script never says.
func unexpected(sc *script, word string) error {
	return fmt.Errorf("%w: %s answered %q", store.ErrCorrupt, sc.name, word)
}

// text reads a reply that is a string or a number.
func text(m rueidis.RedisMessage) string {
	if s, err := m.ToString(); err == nil {
		return s
	}
	if n, err := m.AsInt64(); err == nil {
		return strconv.FormatInt(n, 10)
	}
	return ""
}

// integer reads a reply that is a number, or the text of one; 0 if it is neither.
func integer(m rueidis.RedisMessage) int64 {
	n, _ := parseInt(text(m))
	return n
}

func number(m rueidis.RedisMessage) int64 {
	n, _ := m.AsInt64()
	return n
}

// call gathers the keys and arguments of one script call.
type call struct {
	keys []string
	args []string
}

func newCall(keys ...string) *call { return &call{keys: keys} }

// key adds a key and returns its index in KEYS.
func (c *call) key(k string) int {
	c.keys = append(c.keys, k)
	return len(c.keys)
}

func (c *call) add(args ...string) *call {
	c.args = append(c.args, args...)
	return c
}

func (c *call) int(n int) *call { return c.add(strconv.Itoa(n)) }

func (c *call) int64(n int64) *call { return c.add(strconv.FormatInt(n, 10)) }

func (c *call) answered(a store.Answered) *call { return c.int64(a.Fetched).int64(a.Settled) }

func (c *call) flag(b bool) *call {
	if b {
		return c.add("1")
	}
	return c.add("0")
}

// reserve adds an argument to be set later, and returns its position.
func (c *call) reserve() int {
	c.args = append(c.args, "")
	return len(c.args) - 1
}

func (c *call) set(position, n int) { c.args[position] = strconv.Itoa(n) }
