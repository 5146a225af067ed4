package redistest

import (
	"context"
	"errors"
	"net"
	"sync"
	"testing"

	"github.com/rollcall-go/rollcall/internal/lifecycle"
)

// Proxy stands between clients and one server, passes commands and replies on
// whole and in order, and injects the faults it is told to. It understands RESP2
// and RESP3, pipelining, and subscriptions, also on a connection that carries other
// commands. It does not understand MONITOR and CLIENT REPLY, and a cluster
// would send clients past it. Its methods may be called concurrently.
type Proxy struct {
	// Addr is host:port.
	Addr string

	target   string
	listener net.Listener
	group    *lifecycle.Group
	faults   faults

	mu    sync.Mutex
	links map[*link]struct{}
}

// errProxyClosed is the cause that ends a proxy's goroutines.
var errProxyClosed = errors.New("proxy closed")

// NewProxy listens on a free port until tb ends, and connects each client to
// target, a host:port. Without faults it changes nothing.
func NewProxy(tb testing.TB, target string) *Proxy {
	tb.Helper()
	listener, err := net.Listen("tcp", net.JoinHostPort(loopback, "0"))
	if err != nil {
		tb.Fatal(err)
	}
	p := &Proxy{
		Addr:     listener.Addr().String(),
		target:   target,
		listener: listener,
		group:    lifecycle.New(context.Background()),
		links:    make(map[*link]struct{}),
	}
	p.group.Go(p.accept)
	tb.Cleanup(p.close)
	return p
}

// URL is the address as redis://host:port.
func (p *Proxy) URL() string { return "redis://" + p.Addr }

// Inject adds a fault, which begins to count now. Where several would strike
// one command, the first that was added does.
func (p *Proxy) Inject(f Fault) { p.faults.add(f) }

// Clear removes all faults. Connections that are already in one stay in it.
func (p *Proxy) Clear() { p.faults.clear() }

// Injected is how many commands were struck so far. A command counts before its client can
// notice.
func (p *Proxy) Injected() int { return p.faults.count() }

// AwaitInjected returns when that many commands were struck, or with the error of ctx when
// that ends first.
func (p *Proxy) AwaitInjected(ctx context.Context, n int) error {
	for {
		more := p.faults.reached(n)
		if more == nil {
			return nil
		}
		select {
		case <-more:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// CutAll closes every connection there is now, whatever is in flight.
func (p *Proxy) CutAll() {
	p.mu.Lock()
	defer p.mu.Unlock()
	for l := range p.links {
		l.close()
	}
}

func (p *Proxy) accept(context.Context) {
	for {
		client, err := p.listener.Accept()
		if err != nil {
			return
		}
		if !p.group.Go(func(ctx context.Context) { p.serve(ctx, client) }) {
			_ = client.Close()
			return
		}
	}
}

// serve passes one connection on until either side closes it.
func (p *Proxy) serve(ctx context.Context, client net.Conn) {
	server, err := new(net.Dialer).DialContext(ctx, "tcp", p.target)
	if err != nil {
		_ = client.Close()
		return
	}
	l := newLink(client, server, &p.faults)
	p.mu.Lock()
	p.links[l] = struct{}{}
	p.mu.Unlock()
	stop := context.AfterFunc(ctx, l.close)

	if !p.group.Go(func(context.Context) { l.forwardReplies() }) {
		l.close()
	}
	l.forwardCommands()

	stop()
	p.mu.Lock()
	delete(p.links, l)
	p.mu.Unlock()
}

func (p *Proxy) close() {
	_ = p.listener.Close()
	p.group.Stop(errProxyClosed)
}
