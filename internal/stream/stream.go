// Package stream sends requests of concurrent callers to a store in batches: a group commit. The
// batches are numbered and serial. The store keeps the last number with its reply, so each batch
// can be repeated after a lost reply.
package stream

import (
	"context"
	"crypto/rand"
	"runtime"
	"sync"
	"time"

	"github.com/rollcall-go/rollcall/internal/lifecycle"
	"github.com/rollcall-go/rollcall/store/bounds"
)

// Request is the request of one caller. Types that embed a [Call] are requests.
type Request interface{ base() *Call }

// Call is the part of a request that belongs to the stream.
type Call struct {
	// done is closed after err is set.
	done chan struct{}
	err  error
}

func (c *Call) base() *Call { return c }

// Line sends one kind of request to the store.
type Line[R Request] interface {
	// Open registers a stream. It is safe to repeat.
	Open(ctx context.Context, stream string) error
	// Close makes the store forget a stream that is no longer used.
	Close(ctx context.Context, stream string) error
	// Take returns how many of the requests, from the first on, go together in the next call: at least
	// one.
	Take(waiting []R) int
	// Send makes one call. If it succeeds, every request has its part of the reply.
	Send(ctx context.Context, stream string, number int64, batch []R) error
	// Forgot reports whether an error means that the store does not know the stream, and that nothing
	// of the batch was applied.
	Forgot(err error) bool
}

// Stream is a serial stream of requests. While a goroutine sends a batch, new requests are
// collected. Then it sends these as the next batch. It ends when no requests wait, so an idle
// stream has no goroutine. Its methods may be called concurrently.
type Stream[R Request] struct {
	line  Line[R]
	group *lifecycle.Group
	// closed is the error for requests after Close.
	closed error

	mu      sync.Mutex
	waiting []R
	sending bool // the goroutine runs
	ended   bool

	// Only the goroutine that sends uses these; mu orders one such goroutine after another.
	name       string // empty before the first use and after a failure
	registered bool
	used       time.Time // when the last batch was sent
	number     int64     // number of the last batch that was answered
}

// New returns a stream. It is opened at its first use. Its goroutines belong to the group. After
// Close, requests get the error closed.
func New[R Request](line Line[R], group *lifecycle.Group, closed error) *Stream[R] {
	return &Stream[R]{line: line, group: group, closed: closed}
}

// Do adds a request and waits until it is answered. If ctx ends first, the request may still be
// sent. Call it once for each request.
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

// withdraw removes a request that was not sent yet. So requests of callers with short deadlines do
// not pile up if the store is slow.
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

// closeTime is how long a closing stream tries to make the store forget it. If it fails, the store
// forgets it after [bounds.StreamKept].
const closeTime = time.Second

// Close refuses new requests. Earlier requests are still sent, and then the store is told to forget
// the stream. The group waits for both.
func (s *Stream[R]) Close() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.ended && !s.sending && s.registered {
		s.sending = s.group.Go(s.send)
	}
	s.ended = true
}

// take returns the next batch, in the order of the requests. If no requests wait, it is empty, and
// the goroutine ends; if the stream is closed, for good.
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

// send is the goroutine. It uses the group's context, not that of a caller: if one caller gives up,
// the others in the batch must not fail.
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
		runtime.Gosched() // an answered caller may send another request, which then joins the batch
	}
}

// leave makes the store forget the stream.
func (s *Stream[R]) leave(ctx context.Context) {
	if s.name == "" || !s.registered {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, closeTime)
	defer cancel()
	_ = s.line.Close(ctx, s.name) // otherwise the store forgets it after [bounds.StreamKept]
}

// call sends one batch. If the store does not know the stream, it wrote nothing, and the batch is
// sent once more in a new stream. (A flush removes all streams.) After any other error it is not
// known which number is next, so the stream is abandoned.
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

// quietTime is how long a stream may be quiet before it is opened again, because the store forgets
// a stream that is quiet for [bounds.StreamKept]. The call itself cannot find that out. Its first
// try may fail on a connection that was quiet for long. Then the repeat hears that the stream is
// unknown, and does not know whether the first try was applied. The rest of the time is for the
// repeats of one call.
const quietTime = bounds.StreamKept / 3

func (s *Stream[R]) try(ctx context.Context, batch []R) error {
	if s.name == "" {
		s.name, s.registered, s.number = rand.Text(), false, 0
	}
	if !s.registered || time.Since(s.used) > quietTime {
		if err := s.line.Open(ctx, s.name); err != nil {
			return err
		}
		s.registered = true
	}
	s.used = time.Now()
	s.number++
	return s.line.Send(ctx, s.name, s.number, batch)
}
