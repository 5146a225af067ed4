package worker

import (
	"context"
	"time"

	"github.com/rollcall-go/rollcall/internal/lifecycle"
	"github.com/rollcall-go/rollcall/internal/worker/intake"
	"github.com/rollcall-go/rollcall/store"
)

// maxFetchTime limits one call of Fetch. If a partition does not answer by then, the others get its
// share of the room.
const maxFetchTime = 5 * time.Second

// fetchLoop fetches whenever the intake grants it. It ends when the worker stops fetching, or with
// the session. A call in flight ends, too.
func (s *session) fetchLoop(context.Context) {
	defer close(s.fetched)
	for number := int64(1); ; {
		select {
		case <-s.life.Done():
			return
		case <-s.e.fetching.Done():
			return
		case g := <-s.p.source.Granted():
			if !s.e.gateOpen(s.e.fetching) {
				g.Withdraw()
				lifecycle.Wake(s.e.gate.closed)
				continue
			}
			p := store.FetchParams{
				Session:   s.id,
				Number:    number,
				Answered:  s.answered(),
				Max:       g.Max,
				Recovered: g.Suspect,
				Queues:    g.Queues,
				Budgets:   g.Budgets(),
				PerRun:    g.PerRun,

				InReadOnly: s.e.inReadOnly,
			}
			if !s.fetch(p, g) {
				return
			}
			number++
		}
	}
}

// fetch makes one fetch. It repeats the call with the same number and parameters until there is an
// answer. If tasks were delivered in a lost reply, a repeat delivers the same ones. It returns
// false if there will be no answer.
func (s *session) fetch(p store.FetchParams, g *intake.Grant) bool {
	s.busy.Add(1)
	s.moves.Add(1)
	defer s.busy.Add(-1)
	for {
		start := time.Now()
		ctx, cancel := context.WithTimeout(s.calls, min(maxFetchTime, s.e.cfg.Lease/3))
		reply, err := s.e.store.Fetch(ctx, p)
		cancel()
		switch {
		case err == nil:
			now := time.Now()
			s.p.heard.set(now)
			s.noteDue(reply.Now, reply.NextDue)
			s.e.host.Fetched(s.life, &Fetch{Partition: s.id.Partition, Deliveries: reply.Deliveries, Took: now.Sub(start)})
			s.accept(&reply, g, now.Sub(start))
			return true
		case store.Permanent(err):
			g.GiveBack()
			g.Owe(&s.debt)
			s.lose(err)
			return false
		}
		// The room is given back, because it is not known when the answer comes.
		g.GiveBack()
		if s.life.Err() == nil {
			s.p.log(s.life, "fetch failed; it is repeated", "error", err)
		}
		select {
		case <-s.life.Done():
			g.Owe(&s.debt)
			return false
		case <-s.e.fetching.Done():
			s.doubt.Store(true)
			return false
		case <-time.After(lifecycle.Jitter(retryWait)):
		}
	}
}

// accept records deliveries and passes them to the slots.
func (s *session) accept(reply *store.FetchReply, g *intake.Grant, took time.Duration) {
	s.p.pauses.heed(s.life, reply.Pauses)
	b := &batch{}
	if len(reply.Deliveries) > 0 {
		b = s.take(reply.Deliveries)
		s.configure(s.life, b.tasks)
	}
	g.Answered(reply, took, b.leased)
	if len(b.tasks) > 0 {
		s.e.backlog.add(b.tasks)
		lifecycle.Wake(s.e.stocked)
	}
	if !s.p.status.active() { // since the fetch began
		s.e.unload(s.p.isPaused)
	}
}
