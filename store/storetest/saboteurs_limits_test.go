package storetest_test

import (
	"context"
	"sync"

	"github.com/rollcall-go/rollcall/store"
)

// lendsTooMuch counts one permit more than there is.
type lendsTooMuch struct{ store.Store }

func (s *lendsTooMuch) Draw(ctx context.Context, p store.DrawParams) (store.DrawReply, error) {
	if p.Max > 0 {
		p.Max++
	}
	return s.Store.Draw(ctx, p)
}

// refillsAtOnce takes what was spent for unused.
type refillsAtOnce struct{ store.Store }

func (s *refillsAtOnce) Draw(ctx context.Context, p store.DrawParams) (store.DrawReply, error) {
	p.Unused += 9
	return s.Store.Draw(ctx, p)
}

// takesFromTheSlow takes the permits of whoever is silent, whatever runs under them.
type takesFromTheSlow struct{ store.Store }

func (s *takesFromTheSlow) Draw(ctx context.Context, p store.DrawParams) (store.DrawReply, error) {
	reply, err := s.Store.Draw(ctx, p)
	for _, h := range reply.Silent {
		_ = s.Store.Forfeit(ctx, p.Limit, h)
	}
	return reply, err
}

// keepsThemWanting never says that others want what a holder has.
type keepsThemWanting struct{ store.Store }

func (s *keepsThemWanting) Draw(ctx context.Context, p store.DrawParams) (store.DrawReply, error) {
	reply, err := s.Store.Draw(ctx, p)
	reply.Reuse, reply.Wanted = reply.Held, false
	return reply, err
}

// drawsAnew gives each call of a holder a number of its own, and so applies repeats.
type drawsAnew struct {
	store.Store
	mu   sync.Mutex
	last map[string]int64
}

func (s *drawsAnew) Draw(ctx context.Context, p store.DrawParams) (store.DrawReply, error) {
	s.mu.Lock()
	if s.last == nil {
		s.last = make(map[string]int64)
	}
	s.last[p.Holder]++
	p.Number = s.last[p.Holder]
	s.mu.Unlock()
	return s.Store.Draw(ctx, p)
}
