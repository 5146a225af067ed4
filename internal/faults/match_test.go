package faults

import (
	"bytes"
	"crypto/sha1" // it is how Redis names scripts
	"encoding/hex"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/rollcall-go/rollcall/internal/redistest"
)

// scripts learns by what hash each script of the Redis store is called: clients send its
// text once, when the server does not have it yet.
type scripts struct {
	heads map[string][]byte // the comment at the head of each file, by name

	mu    sync.Mutex
	names map[string]string // by hash
}

func newScripts(t *testing.T) *scripts {
	t.Helper()
	files, err := filepath.Glob(filepath.Join("..", "..", "store", "redisstore", "internal", "script", "lua", "*.lua"))
	require.NoError(t, err)
	s := &scripts{heads: make(map[string][]byte), names: make(map[string]string)}
	for _, file := range files {
		text, err := os.ReadFile(file)
		require.NoError(t, err)
		head, _, _ := bytes.Cut(text, []byte("\nlocal "))
		require.True(t, bytes.HasPrefix(head, []byte("-- ")), file)
		s.heads[strings.TrimSuffix(filepath.Base(file), ".lua")] = head
	}
	require.Contains(t, s.heads, "settle")
	return s
}

// learn is a match that matches nothing, and sees every command.
func (s *scripts) learn(c redistest.Command) bool {
	if c.Name != "EVAL" || len(c.Args) == 0 {
		return false
	}
	sum := sha1.Sum(c.Args[0])
	for name, head := range s.heads {
		if bytes.Contains(c.Args[0], head) {
			s.mu.Lock()
			s.names[hex.EncodeToString(sum[:])] = name
			s.mu.Unlock()
		}
	}
	return false
}

// script matches the calls of scripts by name that do not carry the text along.
func (w *world) script(names ...string) func(redistest.Command) bool {
	w.t.Helper()
	w.scripts.requireKnown(w.t, names)
	return func(c redistest.Command) bool {
		if c.Name != "EVALSHA" || len(c.Args) == 0 {
			return false
		}
		w.scripts.mu.Lock()
		defer w.scripts.mu.Unlock()
		name, known := w.scripts.names[string(c.Args[0])]
		return known && slices.Contains(names, name)
	}
}

// anyCall matches all calls of scripts by name, also those that carry the text along.
func (w *world) anyCall(names ...string) func(redistest.Command) bool {
	w.t.Helper()
	byHash := w.script(names...)
	return func(c redistest.Command) bool {
		carries := c.Name == "EVAL" && len(c.Args) > 0 && slices.ContainsFunc(names, func(name string) bool {
			return bytes.Contains(c.Args[0], w.scripts.heads[name])
		})
		return carries || byHash(c)
	}
}

// nameOf is the script of a hash; "" if it is of none that was seen.
func (s *scripts) nameOf(hash string) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.names[hash]
}

// requireKnown requires that each name is a script's: the text of one that is not would be empty,
// which every call ends with.
func (s *scripts) requireKnown(t *testing.T, names []string) {
	t.Helper()
	for _, name := range names {
		require.NotEmpty(t, s.heads[name], "there is no script %q", name)
	}
}
