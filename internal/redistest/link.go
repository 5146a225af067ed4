package redistest

import (
	"bufio"
	"io"
	"net"
	"sync"
	"time"
)

// link is one client's connection and the one to the server that belongs to
// it. One goroutine forwards commands, another replies; pending joins them.
type link struct {
	client, server net.Conn
	faults         *faults
	done           chan struct{} // closed with the link

	mu          sync.Mutex
	progress    *sync.Cond // pending shrank, or the link was closed
	pending     []call     // forwarded and not answered, in order
	closed      bool
	transparent bool // RESP2 subscription: replies cannot be told from messages
}

// call is a command that waits for its answer.
type call struct {
	name     string
	confirms int // pushes that answer a subscription command; 0 for all others
	fault    Fault
}

func newLink(client, server net.Conn, f *faults) *link {
	l := &link{client: client, server: server, faults: f, done: make(chan struct{})}
	l.progress = sync.NewCond(&l.mu)
	return l
}

// close ends both connections. It may be called more than once.
func (l *link) close() {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.closed {
		return
	}
	l.closed = true
	close(l.done)
	_ = l.client.Close()
	_ = l.server.Close()
	l.progress.Broadcast()
}

// forwardCommands passes commands on until the link is closed or a fault ends
// the traffic.
func (l *link) forwardCommands() {
	defer l.close()
	r := bufio.NewReader(l.client)
	for {
		cmd, err := readCommand(r)
		if err != nil {
			return
		}
		var fault Fault
		if cmd.Name != "" {
			fault = l.faults.strike(cmd)
			switch fault.Kind {
			case Cut:
				l.awaitAnswers()
				l.faults.record()
				return
			case Hold:
				l.faults.record()
				select {
				case <-fault.Until:
				case <-l.done:
					return
				}
				fault = Fault{} // its reply is like any other
			}
			l.expect(cmd, fault) // before it is sent, or the reply could come first
		}
		if _, err := l.server.Write(cmd.raw); err != nil {
			return
		}
		if fault.Kind == Swallow || fault.Kind == BlackHole {
			_, _ = io.Copy(io.Discard, r) // until the link is closed, or the client leaves
			return
		}
	}
}

// forwardReplies passes replies and pushes on, except where a fault strikes.
func (l *link) forwardReplies() {
	defer l.close()
	r := bufio.NewReader(l.server)
	for {
		f, err := readFrame(r)
		if err != nil {
			return
		}
		fault := l.answer(f)
		if fault.Kind != 0 {
			l.faults.record()
		}
		switch fault.Kind {
		case Swallow:
			return
		case BlackHole:
			<-l.done
			return
		case Delay:
			if !l.pause(fault.For) {
				return
			}
		}
		if _, err := l.client.Write(f.raw); err != nil {
			return
		}
	}
}

// pause waits, and reports whether the link is still open.
func (l *link) pause(d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-l.done:
		return false
	}
}

// expect queues a command that is about to be sent.
func (l *link) expect(cmd Command, fault Fault) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.transparent {
		return
	}
	c := call{name: cmd.Name, fault: fault}
	if cmd.subscribes() {
		c.confirms = max(len(cmd.Args), 1)
	}
	l.pending = append(l.pending, c)
}

// answer matches a frame from the server with the command that waits longest,
// and returns the fault that strikes it. Pushes that are no confirmation of
// it answer nothing.
func (l *link) answer(f frame) Fault {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.transparent || len(l.pending) == 0 {
		return Fault{}
	}
	head := &l.pending[0]
	switch kind := f.kind(); {
	case kind == '>' && (head.confirms == 0 || pushName(f) != head.name):
		return Fault{}
	case kind == '>' && head.confirms > 1:
		head.confirms--
		return Fault{}
	case kind == '*' && head.confirms > 0:
		l.transparent = true
	}
	fault := head.fault
	l.pending = l.pending[1:]
	l.progress.Broadcast()
	return fault
}

// awaitAnswers returns when everything that was sent is answered.
func (l *link) awaitAnswers() {
	l.mu.Lock()
	defer l.mu.Unlock()
	for len(l.pending) > 0 && !l.closed && !l.transparent {
		l.progress.Wait()
	}
}
