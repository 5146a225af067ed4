package memstore

import (
	"context"
	"slices"

	"github.com/rollcall-go/rollcall/store"
)

// Failures reads the kept dead letters of a run by their places.
func (s *backend) Failures(ctx context.Context, p store.FailuresParams) ([]store.Failure, error) {
	part, err := s.of(ctx, p.Run.Job)
	if err != nil {
		return nil, err
	}
	defer part.unlock()
	r, err := part.run(p.Run)
	if err != nil {
		return nil, err
	}
	page := newPage()
	var failures []store.Failure
	for i := range r.failures {
		f := r.failures[i]
		if p.Newest {
			f = r.failures[len(r.failures)-1-i]
		}
		if !p.Has(f.Place) {
			continue
		}
		if len(failures) >= p.Limit || !page.fits(letterBytes(&f)) {
			break
		}
		f.Task = copyTask(f.Task)
		failures = append(failures, f)
	}
	return failures, nil
}

// letterBytes returns the size of the data of a dead letter that users chose.
func letterBytes(f *store.Failure) int { return taskBytes(&f.Task) + len(f.Error) + len(f.Stack) }

// FailingRuns lists runs that keep dead letters, those in which a task failed last first.
func (s *backend) FailingRuns(ctx context.Context, p store.FailingRunsParams) ([]store.FailingRun, error) {
	part, err := s.at(ctx, p.Partition)
	if err != nil {
		return nil, err
	}
	defer part.unlock()
	var runs []store.FailingRun
	for _, r := range part.failing {
		if f := (store.FailingRun{Run: r.rec.ID, Last: r.lastFailure}); f.Behind(p.After) {
			runs = append(runs, f)
		}
	}
	slices.SortFunc(runs, store.FailingRun.Compare)
	return runs[:min(len(runs), p.Limit)], nil
}
