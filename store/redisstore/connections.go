package redisstore

import (
	"context"
	"crypto/tls"
	"net"
	"sync"

	"github.com/redis/rueidis"

	"github.com/rollcall-go/rollcall/store"
)

// dialer makes connections, as [rueidis.ClientOption] has it.
type dialer func(ctx context.Context, address string, d *net.Dialer, config *tls.Config) (net.Conn, error)

// connections holds the connections of a client that Open made. The client's constructor takes no
// context, and its Close waits for a server that does not answer. To close the connections ends
// both at once.
type connections struct {
	dial dialer
	life context.Context // context of dialling
	end  context.CancelFunc

	mu   sync.Mutex
	open map[*connection]struct{} // nil after they were closed
}

// connection is one connection of the client.
type connection struct {
	net.Conn
	all *connections
}

// watch makes the client of these options use connections that can be cut.
func watch(option *rueidis.ClientOption) *connections {
	c := &connections{dial: option.DialCtxFn, open: make(map[*connection]struct{})}
	if c.dial == nil {
		c.dial = dialTCP
	}
	c.life, c.end = context.WithCancel(context.Background())
	option.DialCtxFn = c.connect
	return c
}

// connect is a [dialer].
func (c *connections) connect(
	ctx context.Context, address string, d *net.Dialer, config *tls.Config,
) (net.Conn, error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	defer context.AfterFunc(c.life, cancel)()
	plain, err := c.dial(ctx, address, d, config)
	if err != nil {
		return nil, err
	}
	conn := &connection{plain, c}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.open == nil {
		_ = plain.Close()
		return nil, store.ErrClosed
	}
	c.open[conn] = struct{}{}
	return conn, nil
}

// cut closes all connections, and prevents new ones.
func (c *connections) cut() {
	c.end()
	c.mu.Lock()
	defer c.mu.Unlock()
	for conn := range c.open {
		_ = conn.Conn.Close()
	}
	c.open = nil
}

// Close implements [net.Conn].
func (c *connection) Close() error {
	c.all.mu.Lock()
	delete(c.all.open, c)
	c.all.mu.Unlock()
	return c.Conn.Close()
}
