package filestore

import (
	"context"

	"github.com/rollcall-go/rollcall/store"
	"github.com/rollcall-go/rollcall/store/actions"
)

// Pause pauses a scope.
func (b *backend) Pause(ctx context.Context, _ int, p store.Pause) error {
	return do(ctx, b, p, func(s *state, p store.Pause) error {
		p.Since = s.now
		s.LastPauses++
		changed, err := s.Pauses.Put(p, s.LastPauses)
		if changed {
			s.audits(ctx, actions.Pause, store.RunID{}, p.Scope.String(), p.Reason)
		}
		return err
	})
}

// Resume ends the pause of a scope.
func (b *backend) Resume(ctx context.Context, _ int, scope store.PauseScope) error {
	return do(ctx, b, scope, func(s *state, scope store.PauseScope) error {
		s.LastPauses++
		if s.Pauses.Remove(scope, s.LastPauses) {
			s.audits(ctx, actions.Resume, store.RunID{}, scope.String(), "")
		}
		return nil
	})
}

// Pauses reads what is paused.
func (b *backend) Pauses(ctx context.Context, _ int) (store.PauseSet, error) {
	return read(ctx, b, 0, func(s *state, _ int) (store.PauseSet, error) { return s.Pauses, nil })
}
