package script

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/redis/rueidis"

	"github.com/rollcall-go/rollcall/store"
)

// Translate turns an error of the client or the server into an error of the contract. If an error
// is not known to be permanent, the call may be repeated, because every call of this store is safe
// to repeat. keys are the keys of a command: an error about a wrong type names them. A script names
// its key itself.
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
		// Redis adds text to the error of a script, and before version 7 to that of a command in it.
		case strings.Contains(text, "WRONGTYPE "):
			// The key is not as this store wrote it: it was overwritten.
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

// Empty treats an index of a wrong type as empty. Scripts do so, too, and remove it.
func Empty(err error) error {
	if errors.Is(err, store.ErrCorrupt) {
		return nil
	}
	return err
}

// closesOnce reports whether the client closes connections only when it is closed itself. A client
// of a sentinel or a cluster also closes connections to a server that was replaced. Calls in flight
// there fail with the same error, but may be repeated on another server.
func (s *Server) closesOnce() bool {
	return s.Client != nil && s.Client.Mode() == rueidis.ClientModeStandalone
}

// transientPrefixes are the prefixes of temporary errors of the server: it is busy, loading,
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
	// The error of a script if the slot moves away while it runs.
	return strings.Contains(text, "attempted to access a non local key")
}
