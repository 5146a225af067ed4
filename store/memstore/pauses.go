package memstore

import (
	"context"
	"slices"

	"github.com/rollcall-go/rollcall/store"
)

// Pause pauses a scope in a partition.
func (s *backend) Pause(ctx context.Context, partition int, p store.Pause) error {
	part, err := s.at(ctx, partition)
	if err != nil {
		return err
	}
	defer part.unlock()
	p.Since = part.now()
	return part.movePauses(func(version int64) error { return part.pauses.Put(p, version) })
}

// Resume ends the pause of a scope.
func (s *backend) Resume(ctx context.Context, partition int, scope store.PauseScope) error {
	part, err := s.at(ctx, partition)
	if err != nil {
		return err
	}
	defer part.unlock()
	return part.movePauses(func(version int64) error {
		part.pauses.Remove(scope, version)
		return nil
	})
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

// movePauses makes a change under another version than any before, and signals it.
func (p *partition) movePauses(change func(version int64) error) error {
	p.pauseVersion++
	if err := change(p.pauseVersion); err != nil {
		return err
	}
	p.signal(store.Signal{Type: store.SignalPause})
	return nil
}

// serves reports whether tasks of a route may be leased.
func (p *partition) serves(r store.Route, inReadOnly []string) bool {
	return len(p.pauses.Pauses) == 0 || len(p.pauses.Covering(r, inReadOnly)) == 0
}
