package storetest_test

import (
	"context"
	"time"

	"github.com/rollcall-go/rollcall/store"
	"github.com/rollcall-go/rollcall/store/statuses"
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

// servesQuiet gives tasks to a session that is quiet.
type servesQuiet struct {
	store.Store
	told map[store.SessionID]statuses.WorkerStatus
}

func (s *servesQuiet) SetWorkerStatus(ctx context.Context, p store.WorkerStatusParams) error {
	err := s.Store.SetWorkerStatus(ctx, p)
	if s.told == nil {
		s.told = make(map[store.SessionID]statuses.WorkerStatus)
	}
	s.told[p.Session] = p.Status
	return err
}

func (s *servesQuiet) Fetch(ctx context.Context, p store.FetchParams) (store.FetchReply, error) {
	status := store.WorkerStatusParams{Session: p.Session}
	_ = s.Store.SetWorkerStatus(ctx, status)
	reply, err := s.Store.Fetch(ctx, p)
	status.Status = s.told[p.Session]
	_ = s.Store.SetWorkerStatus(ctx, status)
	return reply, err
}

// saysDrained says of each fetch that it left nothing.
type saysDrained struct{ store.Store }

func (s *saysDrained) Fetch(ctx context.Context, p store.FetchParams) (store.FetchReply, error) {
	reply, err := s.Store.Fetch(ctx, p)
	reply.Drained = true
	return reply, err
}

// tellsNoStatus has a session get nothing, and its worker not know why.
type tellsNoStatus struct{ store.Store }

func (s *tellsNoStatus) Heartbeat(ctx context.Context, p store.HeartbeatParams) (store.HeartbeatReply, error) {
	reply, err := s.Store.Heartbeat(ctx, p)
	reply.Status = statuses.WorkerActive
	return reply, err
}

// wakesQuiet has a session that is opened again forget what was asked of it.
type wakesQuiet struct{ store.Store }

func (s *wakesQuiet) OpenSession(
	ctx context.Context, id store.SessionID, info store.WorkerInfo, lease time.Duration,
) error {
	err := s.Store.OpenSession(ctx, id, info, lease)
	_ = s.Store.SetWorkerStatus(ctx, store.WorkerStatusParams{Session: id, Status: info.Status})
	return err
}
