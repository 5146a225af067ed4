package memstore

import (
	"bytes"
	"context"

	"github.com/rollcall-go/rollcall/store"
)

// ReadMap reads fields of a map of a job.
func (s *Store) ReadMap(ctx context.Context, p store.MapParams, fields []string) (map[string][]byte, error) {
	part, err := s.of(ctx, p.Job)
	if err != nil {
		return nil, err
	}
	defer part.unlock()
	out := make(map[string][]byte, len(fields))
	if j := part.jobs[p.Job]; j != nil {
		for _, field := range fields {
			if value, ok := j.maps[p.Name][field]; ok {
				out[field] = bytes.Clone(value)
			}
		}
	}
	return out, nil
}

// WriteMap sets and deletes fields of a map of a job.
func (s *Store) WriteMap(ctx context.Context, p store.MapParams, set map[string][]byte, remove []string) error {
	if err := store.ValidateMapWrite(p, set, remove); err != nil {
		return err
	}
	part, err := s.of(ctx, p.Job)
	if err != nil {
		return err
	}
	defer part.unlock()
	j := part.jobs[p.Job]
	if j == nil {
		return store.ErrJobNotFound
	}
	m := j.maps[p.Name]
	if m == nil {
		if j.maps == nil {
			j.maps = make(map[string]map[string][]byte)
		}
		m = make(map[string][]byte)
		j.maps[p.Name] = m
	}
	for field, value := range set {
		m[field] = append([]byte{}, value...)
	}
	for _, field := range remove {
		delete(m, field)
	}
	if len(m) == 0 {
		delete(j.maps, p.Name)
	}
	return nil
}
