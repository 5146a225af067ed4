// Package stream sends what concurrent callers ask for as numbered batches of one serial stream of
// a store: a group commit. The store keeps the last number with its reply, so that each batch may
// be repeated after a lost reply.
package stream

import (
	"context"
	"crypto/rand"
	"runtime"
	"sync"
	"time"

	"github.com/rollcall-go/rollcall/internal/lifecycle"
)

// Request is what one caller asks for. Types that embed a [Call] are requests.
type Request interface{ base() *Call }

// Call is the part of a request that belongs to the stream.
type Call struct {
	// done is closed when err is set, and not before.
	done chan struct{}
	err  error
}

func (c *Call) base() *Call { return c }

// Line is the way of one kind of request to the store.
type Line[R Request] interface {
	// Open registers a stream. It is safe to repeat.
	Open(ctx context.Context, stream string) error
	// Close has the store forget a stream that is not used any more.
	Close(ctx context.Context, stream string) error
	// Take tells how many of the requests, from the first on, go together in the next
	// call: at least one.
	Take(waiting []R) int
	// Send makes one call. When it succeeds every request has its part of the reply.
	Send(ctx context.Context, stream string, number int64, batch []R) error
	// Forgot reports whether an error says that the store does not know the stream, and that nothing
	// of the batch was applied.
	Forgot(err error) bool
}

// Stream is a serial stream of requests. Requests gather in waiting while a goroutine sends; it
// takes what gathered, sends it as one batch, and ends when nothing waits. So there is no goroutine
// while nobody asks. Its methods may be called concurrently.
type Stream[R Request] struct {
	line  Line[R]
	group *lifecycle.Group
	// closed is the error of requests that come too late.
	closed error

	mu      sync.Mutex
	waiting []R
	sending bool // the goroutine runs
	ended   bool

	// Owned by the goroutine that sends; mu orders one after the other.
	name       string // "" before the first use and after a failure
	registered bool
	number     int64 // of the last batch that was answered
}

// New returns a stream that is opened when it is first needed. Its goroutines are of the group;
// once it is closed requests are refused with the error closed.
func New[R Request](line Line[R], group *lifecycle.Group, closed error) *Stream[R] {
	return &Stream[R]{line: line, group: group, closed: closed}
}

// Do hands in a request, once, and waits until it is answered or ctx ends; then the request may
// still be sent.
func (s *Stream[R]) Do(ctx context.Context, req R) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	call := req.base()
	call.done = make(chan struct{})
	if err := s.add(req); err != nil {
		return err
	}
	select {
	case <-call.done:
		return call.err
	case <-ctx.Done():
		s.withdraw(call)
		return ctx.Err()
	}
}

func (s *Stream[R]) add(req R) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.ended {
		return s.closed
	}
	if !s.sending {
		if !s.group.Go(s.send) {
			return s.closed
		}
		s.sending = true
	}
	s.waiting = append(s.waiting, req)
	return nil
}

// withdraw forgets a request that has not been sent yet, so that callers with
// short deadlines do not pile up behind a slow store.
func (s *Stream[R]) withdraw(call *Call) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for i, req := range s.waiting {
		if req.base() == call {
			s.waiting = append(s.waiting[:i], s.waiting[i+1:]...)
			return
		}
	}
}

// closeTime is how long a stream that ends tries to have the store forget it. Otherwise that is
// done after a day.
const closeTime = time.Second

// Close lets nothing more in. What was handed in is still sent, and then the store is told to
// forget the stream: the group waits for both.
func (s *Stream[R]) Close() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.ended && !s.sending && s.registered {
		s.sending = s.group.Go(s.send)
	}
	s.ended = true
}

// take returns the next batch, in the order in which requests came. If nothing
// waits it is empty, and the goroutine ends: of a stream that was closed for good.
func (s *Stream[R]) take() (batch []R, closed bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.waiting) == 0 {
		s.sending = s.ended
		return nil, s.ended
	}
	n := s.line.Take(s.waiting)
	batch = s.waiting[:n:n]
	s.waiting = append([]R(nil), s.waiting[n:]...)
	return batch, false
}

// send is the goroutine. It runs under the group's context, not a caller's:
// one who gives up must not fail the others in the batch.
func (s *Stream[R]) send(ctx context.Context) {
	for {
		batch, closed := s.take()
		if closed {
			s.leave(ctx)
		}
		if len(batch) == 0 {
			return
		}
		err := s.call(ctx, batch)
		for _, req := range batch {
			call := req.base()
			call.err = err
			close(call.done)
		}
		runtime.Gosched() // who was answered may ask for more: then it goes along
	}
}

// leave has the store forget the stream.
func (s *Stream[R]) leave(ctx context.Context) {
	if s.name == "" || !s.registered {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, closeTime)
	defer cancel()
	_ = s.line.Close(ctx, s.name) // or it is forgotten after a day
}

// call sends one batch. A store that does not know the stream (it forgets one
// that is idle for a day, and all in a flush) wrote nothing: so the batch is sent
// once more under a new stream. After any other error the next number
// of the stream would be ambiguous, so the stream is abandoned.
func (s *Stream[R]) call(ctx context.Context, batch []R) error {
	err := s.try(ctx, batch)
	if err != nil && s.line.Forgot(err) {
		s.name = ""
		err = s.try(ctx, batch)
	}
	if err != nil {
		s.name = ""
	}
	return err
}

func (s *Stream[R]) try(ctx context.Context, batch []R) error {
	if s.name == "" {
		s.name, s.registered, s.number = rand.Text(), false, 0
	}
	if !s.registered {
		if err := s.line.Open(ctx, s.name); err != nil {
			return err
		}
		s.registered = true
	}
	s.number++
	return s.line.Send(ctx, s.name, s.number, batch)
}
