package repair

import (
	"slices"
	"strings"

	"github.com/rollcall-go/rollcall/store"
	"github.com/rollcall-go/rollcall/store/redisstore/internal/format"
)

// fixedTypes are the types of keys that a partition has once. keyTypes are the types of other keys,
// by the prefix of their names; if there are several, each is allowed. Keys that are in neither are
// ignored.
var (
	fixedTypes = map[string]string{
		"meta": "hash", "pauses": "hash", "audit": "zset",
		"jobs": "zset", "clock": "hash", "routes": "zset", "due": "zset", "kept": "zset",
		"ledger": "hash", "gone": "zset", "series": "hash", "minutes": "zset", "hours": "zset", "times": "hash", "taken": "hash",
		"leases": "zset", "terms": "hash", "lost": "zset", "sets": "hash", "trash": "zset", "hist": "zset", "failing": "zset",
		"listed": "zset", "index": "zset",
	}
	keyTypes = map[string]string{
		"job": "hash", "starts": "hash", "names": "set", "configuration": "hash", "configured": "hash", "results": "hash", "run": "hash", "lanes": "set", "holds": "hash", "stage": "hash",
		"dead": "zset", "ids": "zset", "W": "list", "U": "list", "D": "zset", "M": "list", "S": "list", "ring": "zset", "L": "hash", "P": "string", "C": "string",
		"value": "hash list", "limit": "hash",
		"sem:facts": "hash", "sem:held": "zset", "sem:line": "zset", "sem:live": "zset",
	}
)

// keyType returns the type that a key must have, or several; empty if it is not known.
func keyType(name string) string {
	kind, rest, ok := strings.Cut(name, ":")
	if !ok {
		return fixedTypes[name]
	}
	if kind == "sem" {
		part, _, _ := strings.Cut(rest, ":")
		kind += ":" + part
	}
	return keyTypes[kind]
}

// listedName returns the name by which the list of the partition has a key; empty if it lists no
// such key.
func listedName(name string) string {
	if key, ok := strings.CutPrefix(name, "sem:facts:"); ok {
		return format.ListedSemaphore + key
	}
	if value, ok := strings.CutPrefix(name, "value:all:"); ok {
		return format.ListedValue + value
	}
	return ""
}

// isType reports whether a type is the one that a key must have, or one of several.
func isType(want, have string) bool { return slices.Contains(strings.Fields(want), have) }

// runOf returns the number of a key's run; empty if it belongs to no run.
func runOf(name string) string {
	kind, rest, _ := strings.Cut(name, ":")
	switch kind {
	case "run", "configured", "results", "lanes", "holds", "stage", "dead":
		return rest
	case "names", "value":
		if of, rest, _ := strings.Cut(rest, ":"); of == "run" {
			return rest[strings.LastIndexByte(rest, ':')+1:]
		}
	case "ids":
		id, _, _ := strings.Cut(rest, ":")
		return id
	case "W", "U", "D", "M", "S":
		id, _, _ := strings.Cut(rest, "/")
		return id
	}
	return ""
}

// storedValue names a value of a job or a run.
type storedValue struct {
	scope store.ValueScope
	name  string
}

// parseValue reads the part after "value:" in a key.
func parseValue(rest string) (storedValue, bool) {
	of, rest, _ := strings.Cut(rest, ":")
	name, owner, ok := strings.Cut(rest, ":")
	if of == "job" {
		return storedValue{store.JobScope(owner), name}, ok
	}
	n, err := format.ParseInt(owner)
	return storedValue{store.RunScope(store.RunID{Number: n}), name}, ok && of == "run" && err == nil
}
