package memstore

import (
	"context"

	"github.com/rollcall-go/rollcall/store"
)

// Results reads a page of the results of a run, or that of one task.
func (s *backend) Results(ctx context.Context, p store.ResultsParams) (store.ResultsReply, error) {
	part, err := s.of(ctx, p.Run.Job)
	if err != nil {
		return store.ResultsReply{}, err
	}
	defer part.unlock()
	r, err := part.run(p.Run)
	if err != nil {
		return store.ResultsReply{}, err
	}
	return r.results.read(&p, part.now()), nil
}
