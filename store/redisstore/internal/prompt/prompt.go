// Package prompt makes calls of a Redis client end when their context ends.
package prompt

import (
	"context"

	"github.com/redis/rueidis"

	"github.com/rollcall-go/rollcall/internal/lifecycle"
	"github.com/rollcall-go/rollcall/store"
)

// Client wraps a client. Its calls return when their context ends, or the store is closed. The
// wrapped client does not do that: a call with its own connection obeys only the deadline of its
// context, and a call that waits for another call's connection obeys neither. So each call runs on
// its own goroutine. If the context ends first, that goroutine ends later: when the client gives up
// the connection, or connections are cut.
type Client struct {
	rueidis.Client
	calls *lifecycle.Group
}

// New wraps a client. When the context of the group ends, calls in progress are left behind.
func New(client rueidis.Client, calls *lifecycle.Group) *Client { return &Client{client, calls} }

// Await makes a call. It returns false if ctx, or the life of the store, ended before.
func Await[R any](ctx context.Context, p *Client, call func() R) (result R, answered bool) {
	done := make(chan R, 1)
	if !p.calls.Go(func(context.Context) { done <- call() }) {
		return result, false
	}
	select {
	case result = <-done:
		return result, true
	case <-ctx.Done():
	case <-p.calls.Context().Done():
	}
	return result, false
}

// Gone returns the reply for a call that was left behind.
func Gone(ctx context.Context) rueidis.RedisResult {
	if err := ctx.Err(); err != nil {
		return rueidis.NewErrorResult(err)
	}
	return rueidis.NewErrorResult(store.ErrClosed)
}

func allGone(ctx context.Context, n int) []rueidis.RedisResult {
	results := make([]rueidis.RedisResult, n)
	for i := range results {
		results[i] = Gone(ctx)
	}
	return results
}

// Do implements [rueidis.Client].
func (p *Client) Do(ctx context.Context, cmd rueidis.Completed) rueidis.RedisResult {
	if r, ok := Await(ctx, p, func() rueidis.RedisResult { return p.Client.Do(ctx, cmd) }); ok {
		return r
	}
	return Gone(ctx)
}

// DoMulti implements [rueidis.Client].
func (p *Client) DoMulti(ctx context.Context, cmds ...rueidis.Completed) []rueidis.RedisResult {
	if r, ok := Await(ctx, p, func() []rueidis.RedisResult { return p.Client.DoMulti(ctx, cmds...) }); ok {
		return r
	}
	return allGone(ctx, len(cmds))
}

// DoMultiCache implements [rueidis.Client].
func (p *Client) DoMultiCache(ctx context.Context, cmds ...rueidis.CacheableTTL) []rueidis.RedisResult {
	if r, ok := Await(ctx, p, func() []rueidis.RedisResult { return p.Client.DoMultiCache(ctx, cmds...) }); ok {
		return r
	}
	return allGone(ctx, len(cmds))
}

// Nodes implements [rueidis.Client].
func (p *Client) Nodes() map[string]rueidis.Client {
	nodes, _ := Await(context.Background(), p, p.Client.Nodes)
	for addr, node := range nodes {
		nodes[addr] = &Client{node, p.calls}
	}
	return nodes
}

// Wait waits until the calls that were left behind have returned.
func (p *Client) Wait() { p.calls.Wait() }
