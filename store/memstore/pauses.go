package memstore

import (
	"context"
	"slices"

	"github.com/rollcall-go/rollcall/store"
	"github.com/rollcall-go/rollcall/store/actions"
	"github.com/rollcall-go/rollcall/store/signals"
)

// Pause pauses a scope in a partition.
func (s *backend) Pause(ctx context.Context, partition int, p store.Pause) error {
	part, err := s.at(ctx, partition)
	if err != nil {
		return err
	}
	defer part.unlock()
	p.Since = part.now()
	changed, err := part.pauses.Put(p, part.pauseVersion+1)
	if err != nil {
		return err
	}
	if changed {
		part.note(ctx, actions.Pause, store.RunID{}, p.Scope.String(), p.Reason)
	}
	part.movedPauses()
	return nil
}

// Resume ends the pause of a scope.
func (s *backend) Resume(ctx context.Context, partition int, scope store.PauseScope) error {
	part, err := s.at(ctx, partition)
	if err != nil {
		return err
	}
	defer part.unlock()
	if part.pauses.Remove(scope, part.pauseVersion+1) {
		part.note(ctx, actions.Resume, store.RunID{}, scope.String(), "")
	}
	part.movedPauses()
	return nil
}

// Pauses reads what is paused in a partition.
func (s *backend) Pauses(ctx context.Context, partition int) (store.PauseSet, error) {
	part, err := s.at(ctx, partition)
	if err != nil {
		return store.PauseSet{}, err
	}
	defer part.unlock()
	return store.PauseSet{Version: part.pauses.Version, Pauses: slices.Clone(part.pauses.Pauses)}, nil
}

// movedPauses signals that the pauses have the next version.
func (p *partition) movedPauses() {
	p.pauseVersion++
	p.signal(store.Signal{Type: signals.Pause})
}

// serves reports whether tasks of a route may be leased.
func (p *partition) serves(r store.Route, inReadOnly []string) bool {
	return len(p.pauses.Pauses) == 0 || len(p.pauses.Covering(r, inReadOnly)) == 0
}
