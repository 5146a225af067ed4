package enqueue

import (
	"context"
	"errors"
	"fmt"
	"log/slog"

	"github.com/rollcall-go/rollcall/store"
)

// producer sends requests to the producer stream of one partition.
type producer struct {
	store     store.Producers
	partition int
	log       *slog.Logger
}

// Open implements [stream.Line].
func (p *producer) Open(ctx context.Context, stream string) error {
	if err := p.store.OpenProducer(ctx, p.partition, stream); err != nil {
		return fmt.Errorf("open producer: %w", err)
	}
	return nil
}

// Close implements [stream.Line].
func (p *producer) Close(ctx context.Context, stream string) error {
	return p.store.CloseProducer(ctx, p.partition, stream)
}

// Take implements [stream.Line].
func (p *producer) Take(waiting []*request) int {
	var b batch
	for n, req := range waiting {
		if !b.takes(req) {
			return n
		}
		b.add(req)
	}
	return len(waiting)
}

// Send implements [stream.Line].
func (p *producer) Send(ctx context.Context, stream string, number int64, requests []*request) error {
	params := joined(requests)
	params.Partition, params.Stream, params.Number = p.partition, stream, number
	reply, err := p.store.Enqueue(ctx, params)
	if err == nil && (len(reply.Entries) != len(params.Entries) || len(reply.Holds) != len(params.Holds)) {
		err = fmt.Errorf(
			"%w: the store answered %d of %d entries", store.ErrCorrupt, len(reply.Entries), len(params.Entries),
		)
	}
	if err == nil {
		answer(requests, reply)
	} else if p.Forgot(err) {
		p.log.WarnContext(ctx, "producer stream was forgotten by the store", "partition", p.partition)
	}
	return err
}

// Forgot implements [stream.Line]. If the call was a repeat, it returns false: the first try may
// have been applied before the store forgot the stream.
func (p *producer) Forgot(err error) bool {
	var repeated *store.RetryError
	return errors.Is(err, store.ErrResultUnknown) && !errors.As(err, &repeated)
}
