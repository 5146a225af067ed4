package script

import (
	"context"
	"fmt"
	"sync/atomic"

	"github.com/redis/rueidis"

	"github.com/rollcall-go/rollcall/store"
	"github.com/rollcall-go/rollcall/store/redisstore/internal/prompt"
)

// Server is the server, or the cluster, that a store calls. It refuses calls after the store was
// closed, and returns errors of the contract.
type Server struct {
	Client *prompt.Client
	closed atomic.Bool
}

// NewServer returns the server of a client.
func NewServer(client *prompt.Client) *Server { return &Server{Client: client} }

// Close makes all later calls fail with [store.ErrClosed]. It reports whether it was the first call
// of Close.
func (s *Server) Close() bool { return s.closed.CompareAndSwap(false, true) }

// Begin is called first in every call. It checks that the store is open and ctx has not ended.
func (s *Server) Begin(ctx context.Context) error {
	if s.closed.Load() {
		return store.ErrClosed
	}
	return context.Cause(ctx)
}

// Run executes a script. Its reply is an array.
func (s *Server) Run(ctx context.Context, sc *Script, c *Call) ([]rueidis.RedisMessage, error) {
	if err := s.Begin(ctx); err != nil {
		return nil, err
	}
	reply, err := sc.Exec(ctx, s.Client, c)
	if err != nil {
		return nil, s.Translate(ctx, sc.Name(), err)
	}
	return reply, nil
}

// Word executes a script with a reply that begins with a word. It returns the word and the rest.
func (s *Server) Word(ctx context.Context, sc *Script, c *Call) (string, []rueidis.RedisMessage, error) {
	reply, err := s.Run(ctx, sc, c)
	if err != nil {
		return "", nil, err
	}
	if len(reply) == 0 {
		return "", nil, fmt.Errorf("%w: empty reply to %s", store.ErrCorrupt, sc.Name())
	}
	return Text(reply[0]), reply[1:], nil
}

// Unexpected returns the error for a word that the script never returns.
func Unexpected(sc *Script, word string) error {
	return fmt.Errorf("%w: %s answered %q", store.ErrCorrupt, sc.Name(), word)
}
