package memstore

import (
	"context"

	"github.com/rollcall-go/rollcall/store"
)

// Repair finds nothing: memory has no hands but this package's, and what the sets hold is what the
// counters are kept with, under one lock.
func (s *backend) Repair(ctx context.Context, p store.RepairParams) (store.RepairReport, error) {
	part, err := s.of(ctx, p.Job)
	if err != nil {
		return store.RepairReport{}, err
	}
	defer part.unlock()
	if p.Run != 0 {
		_, err = part.run(store.RunID{Job: p.Job, Number: p.Run})
	} else if part.jobs[p.Job] == nil {
		err = store.ErrJobNotFound
	}
	return store.RepairReport{}, err
}
