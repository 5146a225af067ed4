package enqueue

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"sync"

	"github.com/rollcall-go/rollcall/internal/lifecycle"
	"github.com/rollcall-go/rollcall/store"
)

// producer is the serial stream of one partition. Requests gather in waiting while a
// goroutine sends; it takes what gathered, sends it as one batch, and ends when
// nothing waits. So there is no goroutine while nobody enqueues.
type producer struct {
	store     store.Producers
	partition int
	group     *lifecycle.Group
	log       *slog.Logger

	mu      sync.Mutex
	waiting []*request
	sending bool // the goroutine runs
	closed  bool

	// Owned by the goroutine that sends; mu orders one after the other.
	stream     string // "" before the first use and after a failure
	registered bool
	number     int64 // of the last batch that was answered
}

// submit hands in a request and waits until it is answered or ctx ends.
func (p *producer) submit(ctx context.Context, req *request) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	if err := p.append(req); err != nil {
		return err
	}
	select {
	case <-req.done:
		return req.err
	case <-ctx.Done():
		p.withdraw(req)
		return ctx.Err()
	}
}

func (p *producer) append(req *request) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed {
		return store.ErrClosed
	}
	if !p.sending {
		if !p.group.Go(p.send) {
			return store.ErrClosed
		}
		p.sending = true
	}
	p.waiting = append(p.waiting, req)
	return nil
}

// withdraw forgets a request that has not been sent yet, so that callers with
// short deadlines do not pile up behind a slow store.
func (p *producer) withdraw(req *request) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if i := slices.Index(p.waiting, req); i >= 0 {
		p.waiting = slices.Delete(p.waiting, i, i+1)
	}
}

func (p *producer) close() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.closed = true
}

// take returns the next batch, in the order in which requests came. If nothing
// waits it is empty, and the goroutine ends.
func (p *producer) take() *batch {
	p.mu.Lock()
	defer p.mu.Unlock()
	b := &batch{}
	for _, req := range p.waiting {
		if !b.takes(req) {
			break
		}
		b.add(req)
	}
	p.waiting = slices.Delete(p.waiting, 0, len(b.requests))
	p.sending = len(b.requests) > 0
	return b
}

// send is the goroutine. It runs under the enqueuer's context, not a caller's:
// one who gives up must not fail the others in the batch.
func (p *producer) send(ctx context.Context) {
	for b := p.take(); len(b.requests) > 0; b = p.take() {
		b.answer(p.call(ctx, b.params()))
	}
}

// call sends one batch. A store that does not know the stream (it forgets one
// that is idle for a day, and all in a flush) wrote nothing: so the batch is sent
// once more under a new stream, unless the call was a repeat, whose first try may have
// been applied before the record was lost. After any other error the next number
// of the stream would be ambiguous, so the stream is abandoned.
func (p *producer) call(ctx context.Context, params store.EnqueueParams) (store.EnqueueReply, error) {
	reply, err := p.try(ctx, params)
	var repeated *store.RetryError
	if errors.Is(err, store.ErrOutcomeUnknown) && !errors.As(err, &repeated) {
		p.log.WarnContext(ctx, "producer stream was forgotten by the store", "partition", p.partition)
		p.stream = ""
		reply, err = p.try(ctx, params)
	}
	if err == nil && (len(reply.Entries) != len(params.Entries) || len(reply.Holds) != len(params.Holds)) {
		err = fmt.Errorf("%w: the store answered %d of %d entries", store.ErrCorrupt, len(reply.Entries), len(params.Entries))
	}
	if err != nil {
		p.stream = ""
	}
	return reply, err
}

func (p *producer) try(ctx context.Context, params store.EnqueueParams) (store.EnqueueReply, error) {
	if p.stream == "" {
		p.stream, p.registered, p.number = randomID(), false, 0
	}
	if !p.registered {
		if err := p.store.OpenProducer(ctx, p.partition, p.stream); err != nil {
			return store.EnqueueReply{}, fmt.Errorf("open producer: %w", err)
		}
		p.registered = true
	}
	p.number++
	params.Partition, params.Stream, params.Number = p.partition, p.stream, p.number
	return p.store.Enqueue(ctx, params)
}
