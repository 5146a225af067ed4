package memstore

import (
	"context"

	"github.com/rollcall-go/rollcall/store"
)

// Repair finds nothing: only this package can change the memory, and it changes tasks and counters
// together, under one lock.
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
