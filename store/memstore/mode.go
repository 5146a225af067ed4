package memstore

import (
	"context"
	"slices"

	"github.com/rollcall-go/rollcall/store"
)

// SetMode sets the mode of a partition.
func (s *backend) SetMode(ctx context.Context, partition int, m store.Mode) error {
	part, err := s.at(ctx, partition)
	if err != nil {
		return err
	}
	defer part.unlock()
	part.mode = m
	part.signal(store.Signal{Type: store.SignalMode})
	return nil
}

// Mode reads the mode of a partition.
func (s *backend) Mode(ctx context.Context, partition int) (store.Mode, error) {
	part, err := s.at(ctx, partition)
	if err != nil {
		return "", err
	}
	defer part.unlock()
	return part.mode, nil
}

// serves reports whether the mode lets tasks of a route be fetched.
func (p *partition) serves(r store.Route, inReadOnly []string) bool {
	return p.mode != store.ModeReadOnly || slices.Contains(inReadOnly, r.Set)
}
