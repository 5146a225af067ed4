// Package script has the scripts of the Redis store: a Lua file for each, the shared parts, and the
// code to pack and make a call.
package script

import (
	"context"
	"iter"
	"maps"

	"github.com/redis/rueidis"
)

// Script is one Lua file, with the shared parts that it uses in front. It is one atomic step of the
// store.
type Script struct {
	name string
	text string
	lua  *rueidis.Lua
}

var scripts = make(map[string]*Script) // by name

// All yields every script.
func All() iter.Seq[*Script] { return maps.Values(scripts) }

// Name returns the name of the file.
func (s *Script) Name() string { return s.name }

// Text returns the text for the server, with the parts in front.
func (s *Script) Text() string { return s.text }

// Exec executes the script. Every script replies with an array.
func (s *Script) Exec(ctx context.Context, client rueidis.Client, c *Call) ([]rueidis.RedisMessage, error) {
	return s.lua.Exec(ctx, client, c.Keys, c.Args).ToArray()
}

func newScript(name string) *Script {
	text := compose(name)
	sc := &Script{name: name, text: text, lua: rueidis.NewLuaScript(text)}
	scripts[name] = sc
	return sc
}
