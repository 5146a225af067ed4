package filestore

import (
	"context"
	"slices"

	"github.com/rollcall-go/rollcall/store"
	"github.com/rollcall-go/rollcall/store/bounds"
)

// bury keeps a failure: of all, the first, and the newest.
func (r *run) bury(f store.Failure) {
	r.Error = f.Error
	r.Buried++
	f.Place = r.Buried
	r.Failures, r.LastFailure = append(r.Failures, f), f.At
	if len(r.Failures) > r.FailureCap {
		r.Failures = slices.Delete(r.Failures, r.FailureCap/2, r.FailureCap/2+1)
	}
}

// Failures reads failures of a run.
func (b *backend) Failures(ctx context.Context, p store.FailuresParams) ([]store.Failure, error) {
	return read(ctx, b, p, func(s *state, p store.FailuresParams) (page []store.Failure, err error) {
		r, err := s.run(p.Run)
		if err != nil {
			return nil, err
		}
		all := slices.DeleteFunc(slices.Clone(r.Failures), func(f store.Failure) bool { return !p.Has(f.Place) })
		if p.Newest {
			slices.Reverse(all)
		}
		left := bounds.PageBytes
		for _, f := range all {
			size := taskSize(&f.Task) + len(f.Error) + len(f.Stack)
			if len(page) >= p.Limit || len(page) > 0 && size > left {
				break
			}
			left -= size
			page = append(page, f)
		}
		return page, nil
	})
}

// FailingRuns lists runs that keep failures.
func (b *backend) FailingRuns(ctx context.Context, p store.FailingRunsParams) ([]store.FailingRun, error) {
	return read(ctx, b, p, func(s *state, p store.FailingRunsParams) (all []store.FailingRun, err error) {
		for _, r := range s.Runs {
			if f := (store.FailingRun{Run: r.ID, Last: r.LastFailure}); len(r.Failures) > 0 && f.Behind(p.After) {
				all = append(all, f)
			}
		}
		slices.SortFunc(all, store.FailingRun.Compare)
		return all[:min(len(all), p.Limit)], nil
	})
}
