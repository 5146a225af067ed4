package redisstore

import (
	"context"

	"github.com/rollcall-go/rollcall/store"
	"github.com/rollcall-go/rollcall/store/bounds"
	"github.com/rollcall-go/rollcall/store/redisstore/internal/format"
)

// session returns the memory of a session.
func (s *Store) session(id store.SessionID) *session {
	s.mu.Lock()
	defer s.mu.Unlock()
	ses := s.sessions[id]
	if ses == nil {
		ses = &session{aside: make(asides)}
		s.sessions[id] = ses
	}
	return ses
}

func (s *Store) forgetSession(id store.SessionID) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.sessions, id)
}

// A fetch that delivered nothing is repeated with the same number. It then looks into lanes that it
// has learned of, at places that lanes have left, and behind the window. Other workers may change
// the rings all the time, so the rounds are limited: the next fetch finds the rest.
const (
	fetchLearns = 6   // rounds that only learn lanes
	fetchRounds = 200 // rounds in all
)

// fetchWindow returns how many lanes of a ring one round looks at. It is smaller if there are many
// rings, so that a round stays short.
func fetchWindow(routes int) int { return min(32, max(4, 256/max(routes, 1))) }

// Fetch implements [store.Sessions].
func (s *Store) Fetch(ctx context.Context, p store.FetchParams) (store.FetchReply, error) {
	if p.MaxBytes <= 0 {
		p.MaxBytes = bounds.DefaultMaxPayload
	}
	k := s.spaces[p.Session.Partition]
	ses := s.session(p.Session)
	ses.fetching.Lock()
	defer ses.fetching.Unlock()
	var reply store.FetchReply
	named := p
	ses.stock.begin(p.Queues, s.hub.synced(k.Partition))
	more := true
	for more && len(reply.Deliveries) == 0 {
		named.Queues, more = ses.stock.narrow(p.Queues)
		if err := s.fetchNamed(ctx, k, ses, &named, &reply); err != nil {
			if isLost(err) {
				s.forgetSession(p.Session)
			}
			return store.FetchReply{}, err
		}
	}
	reply.Drained = reply.Drained && !more
	return reply, nil
}

// fetchNamed makes rounds until tasks are delivered, or the routes of p have no more.
func (s *Store) fetchNamed(
	ctx context.Context, k *format.Keyspace, ses *session, p *store.FetchParams, reply *store.FetchReply,
) error {
	skip, learns := 0, 0
	for range fetchRounds {
		found, err := s.fetchOnce(ctx, k, ses, p, skip, reply)
		if err != nil {
			return err
		}
		moved, err := s.activate(ctx, k, ses)
		if err != nil && len(reply.Deliveries) == 0 {
			return err
		}
		switch {
		case len(reply.Deliveries) > 0:
			return nil
		case found.left > 0 || moved: // that much less to look at next time
		case found.learned && learns < fetchLearns:
			learns++
		case found.more:
			skip += found.window
			learns = 0
		default:
			return nil
		}
	}
	return nil
}
