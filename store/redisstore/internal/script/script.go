// Package script has the scripts of the Redis store: a Lua file for each, the shared parts, and the
// code to pack and make a call.
package script

import (
	"context"
	"embed"
	"iter"
	"maps"
	"regexp"
	"strings"

	"github.com/redis/rueidis"
)

//go:embed lua/*.lua lua/parts/*.lua
var luaFiles embed.FS

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

// newScript reads lua/NAME.lua. The comment of the file names the parts of lua/parts that it uses;
// so do the comments of the parts. Each part comes before its users. Other parts are left out,
// because a part costs time at each call.
func newScript(name string) *Script {
	var source strings.Builder
	seen := make(map[string]bool)
	var add func(file string)
	add = func(file string) {
		if seen[file] {
			return
		}
		seen[file] = true
		b, err := luaFiles.ReadFile("lua/" + file + ".lua")
		if err != nil {
			panic(err) // embedded
		}
		if uses := usesLine.FindSubmatch(b); uses != nil {
			for part := range strings.SplitSeq(string(uses[1]), ", ") {
				add("parts/" + part)
			}
		}
		source.Write(b)
		source.WriteByte('\n')
	}
	add("parts/commands")
	add(name)
	sc := &Script{name: name, text: source.String(), lua: rueidis.NewLuaScript(source.String())}
	scripts[name] = sc
	return sc
}

var usesLine = regexp.MustCompile(`(?m)^-- Uses: (.*)\.$`)
