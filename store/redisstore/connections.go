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

// connections are those of a client that Open made. The client's constructor takes no context, and
// its Close waits for a server that does not answer: cutting the connections ends both at once.
type connections struct {
	dial dialer
	life context.Context // of dialling
	end  context.CancelFunc

	mu   sync.Mutex
	open map[*connection]struct{} // nil once they were cut
}

// connection is one of them.
type connection struct {
	net.Conn
	all *connections
}

// watch has the client of these options make connections that can be cut.
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

// cut closes all connections, and lets no further one be made.
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
