package script

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/redis/rueidis"

	"github.com/rollcall-go/rollcall/store"
)

// Translate turns an error of the client or the server into one of the contract. Whatever is not
// known to be permanent may be repeated: every call of this store is safe to repeat. keys are those
// of a command, which an error about a wrong type names. A script names its key itself.
func (s *Server) Translate(ctx context.Context, doing string, err error, keys ...string) error {
	if err == nil {
		return nil
	}
	if s.closed.Load() || errors.Is(err, rueidis.ErrClosing) && s.closesOnce() {
		return fmt.Errorf("%s: %w", doing, store.ErrClosed)
	}
	if cause := context.Cause(ctx); cause != nil {
		return fmt.Errorf("%s: %w", doing, cause)
	}
	if server, ok := rueidis.IsRedisErr(err); ok {
		text := server.Error()
		switch {
		// The error of a script, and before version 7 that of a command in it, is wrapped in text.
		case strings.Contains(text, "WRONGTYPE "):
			// Not the key that we wrote: somebody overwrote it.
			return fmt.Errorf("%s: %w: %s", doing, store.ErrCorrupt, strings.Join(append(keys, text), ": "))
		case strings.Contains(text, "OOM command not allowed"):
			return fmt.Errorf("%s: %w", doing, store.ErrOutOfMemory)
		case isTransient(text):
			return fmt.Errorf("%s: %w", doing, store.Transient(err))
		}
		return fmt.Errorf("%s: %w", doing, err)
	}
	return fmt.Errorf("%s: %w", doing, store.Transient(err))
}

// Empty takes an index of a wrong type for an empty one, as scripts do, which remove it when they
// meet it.
func Empty(err error) error {
	if errors.Is(err, store.ErrCorrupt) {
		return nil
	}
	return err
}

// closesOnce reports whether the client ends connections only with itself. One that follows a
// sentinel, or a cluster's topology, also closes those to a server that was replaced, and calls in
// flight there fail with the same error: what they were about goes on elsewhere.
func (s *Server) closesOnce() bool {
	return s.Client != nil && s.Client.Mode() == rueidis.ClientModeStandalone
}

// transientPrefixes begin the server's errors that pass: it is busy, loading,
// failing over, or moving slots.
var transientPrefixes = []string{
	"BUSY", "LOADING", "READONLY", "MASTERDOWN", "CLUSTERDOWN", "TRYAGAIN", "MOVED", "ASK", "NOREPLICAS", "UNBLOCKED", "NOSCRIPT", "MISCONF",
}

func isTransient(text string) bool {
	for _, prefix := range transientPrefixes {
		if strings.HasPrefix(text, prefix+" ") || strings.Contains(text, "-"+prefix+" ") {
			return true
		}
	}
	// What a script meets when the slot moves away under it.
	return strings.Contains(text, "attempted to access a non local key")
}
