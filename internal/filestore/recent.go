package filestore

import (
	"context"
	"slices"

	"github.com/rollcall-go/rollcall/store"
	"github.com/rollcall-go/rollcall/store/bounds"
)

// ListRuns reads a page of runs.
func (b *backend) ListRuns(ctx context.Context, p store.RunsParams) (store.RunPage, error) {
	return read(ctx, b, p, (*state).listRuns)
}

func (s *state) listRuns(p store.RunsParams) (page store.RunPage, err error) {
	var all []store.RunRecord
	for _, r := range s.Runs {
		if rec := s.record(r); p.Match(&rec, s.now) {
			all = append(all, rec)
		}
	}
	slices.SortFunc(all, func(a, b store.RunRecord) int { return a.Place().Compare(b.Place(), p.Oldest) })
	left := bounds.PageBytes
	for i := range all {
		rec := &all[i]
		if p.After != (store.Place{}) && rec.Place().Compare(p.After, p.Oldest) <= 0 {
			continue
		}
		if !p.Details {
			rec.Trim()
		}
		left -= len(rec.Args) + len(rec.Result)
		if n := len(page.Runs); n == p.Limit || n > 0 && left < 0 {
			page.Next = page.Runs[n-1].Place
			break
		}
		page.Runs = append(page.Runs, store.RunEntry{Run: *rec, Place: rec.Place()})
	}
	return page, nil
}
