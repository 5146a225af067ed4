package memstore

import (
	"context"
	"slices"

	"github.com/rollcall-go/rollcall/store"
)

// recentRuns sorts only after a run changed.
func (p *partition) recentRuns() []*run {
	if p.recent == nil {
		p.recent = make([]*run, 0, len(p.runs))
		for _, r := range p.runs {
			p.recent = append(p.recent, r)
		}
		slices.SortFunc(p.recent, func(a, b *run) int { return a.rec.Place().Compare(b.rec.Place(), false) })
	}
	return p.recent
}

// ListRuns reads a page of the runs of one partition, most recently changed first.
func (s *backend) ListRuns(ctx context.Context, p store.RunsParams) (store.RunPage, error) {
	part, err := s.at(ctx, p.Partition)
	if err != nil {
		return store.RunPage{}, err
	}
	defer part.unlock()
	runs := part.recentRuns()
	if p.Oldest {
		runs = slices.Clone(runs)
		slices.Reverse(runs)
	}
	if p.After != (store.Place{}) {
		at, found := slices.BinarySearchFunc(runs, p.After, func(r *run, after store.Place) int {
			return r.rec.Place().Compare(after, p.Oldest)
		})
		if found {
			at++
		}
		runs = runs[at:]
	}
	var page store.RunPage
	bytes := newPage()
	for i, r := range runs {
		if i == p.Limit {
			page.Next = runs[i-1].rec.Place()
			break
		}
		if !p.Match(&r.rec, part.called) {
			continue
		}
		if p.Details && !bytes.fits(len(r.rec.Args)+len(r.rec.Result)) {
			page.Next = runs[i-1].rec.Place()
			break
		}
		rec := copyRecord(r.rec)
		if !p.Details {
			rec.Trim()
		}
		page.Runs = append(page.Runs, store.RunEntry{Run: rec, Place: r.rec.Place()})
	}
	return page, nil
}
