package storetest_test

import (
	"context"

	"github.com/rollcall-go/rollcall/store"
)

// keepsNoLost forgets sessions that were not heard from.
type keepsNoLost struct{ store.Store }

func (s *keepsNoLost) LostSessions(context.Context, int) ([]store.LostSession, error) {
	return nil, nil
}

// keepsClosed takes a session that was closed for one that was not heard from.
type keepsClosed struct {
	store.Store
	closed []store.LostSession
}

func (s *keepsClosed) CloseSession(ctx context.Context, id store.SessionID) error {
	s.closed = append(s.closed, store.LostSession{ID: id.ID})
	return s.Store.CloseSession(ctx, id)
}

func (s *keepsClosed) LostSessions(ctx context.Context, partition int) ([]store.LostSession, error) {
	lost, err := s.Store.LostSessions(ctx, partition)
	return append(lost, s.closed...), err
}

// guessesWhenHeard takes a session for one that was heard from until it was ended.
type guessesWhenHeard struct{ store.Store }

func (s *guessesWhenHeard) LostSessions(ctx context.Context, partition int) ([]store.LostSession, error) {
	lost, err := s.Store.LostSessions(ctx, partition)
	for i := range lost {
		lost[i].Heard = lost[i].Ended
	}
	return lost, err
}
