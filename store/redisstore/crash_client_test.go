package redisstore_test

import (
	"context"
	"crypto/sha1" // it is how Redis names scripts
	"encoding/hex"
	"errors"
	"slices"
	"sync"
	"testing"

	"github.com/redis/rueidis"

	"github.com/rollcall-go/rollcall/store/redisstore/internal/script"
)

// errDied is what the calls of a process that has died end with.
var errDied = errors.New("the process has died")

// mortal is the client of a process that dies right before, or right after, it calls a script:
// nothing that it sends later arrives, and no reply reaches it.
type mortal struct {
	rueidis.Client
	names map[string]string // scripts by their hash

	mu     sync.Mutex
	script string // at which it dies; "" for none yet
	after  bool
	dead   bool
}

// dieAt arms the client.
func (m *mortal) dieAt(script string, after bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.script, m.after = script, after
}

func (m *mortal) died() bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.dead
}

// calls is the name of the script that a command calls.
func (m *mortal) calls(words []string) string {
	switch {
	case len(words) > 1 && words[0] == "EVALSHA":
		return m.names[words[1]]
	case len(words) > 1 && words[0] == "EVAL":
		return m.names[hash(words[1])]
	}
	return ""
}

func hash(text string) string {
	sum := sha1.Sum([]byte(text))
	return hex.EncodeToString(sum[:])
}

func (m *mortal) Do(ctx context.Context, cmd rueidis.Completed) rueidis.RedisResult {
	m.mu.Lock()
	fatal := m.script != "" && m.calls(cmd.Commands()) == m.script
	m.dead = m.dead || fatal && !m.after
	dead := m.dead
	m.mu.Unlock()
	if dead {
		return rueidis.NewErrorResult(errDied)
	}
	result := m.Client.Do(ctx, cmd)
	if server, ok := rueidis.IsRedisErr(result.Error()); fatal && !(ok && server.IsNoScript()) {
		m.mu.Lock()
		m.dead = true
		m.mu.Unlock()
		return rueidis.NewErrorResult(errDied)
	}
	return result
}

func (m *mortal) DoMulti(ctx context.Context, cmds ...rueidis.Completed) []rueidis.RedisResult {
	if !m.died() {
		return m.Client.DoMulti(ctx, cmds...)
	}
	results := make([]rueidis.RedisResult, len(cmds))
	for i := range results {
		results[i] = rueidis.NewErrorResult(errDied)
	}
	return results
}

// scriptNames lists the scripts of the store, and names each by its hash.
func scriptNames(t *testing.T) (all []string, byHash map[string]string) {
	t.Helper()
	byHash = make(map[string]string)
	for sc := range script.All() {
		all = append(all, sc.Name())
		byHash[hash(sc.Text())] = sc.Name()
	}
	slices.Sort(all)
	return all, byHash
}
