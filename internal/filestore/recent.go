package filestore

import (
	"context"
	"maps"
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

// ListJobs reads a page of the jobs.
func (b *backend) ListJobs(ctx context.Context, p store.ListParams) (store.JobPage, error) {
	return read(ctx, b, p, (*state).listJobs)
}

func (s *state) listJobs(p store.ListParams) (page store.JobPage, err error) {
	var all []store.JobEntry
	for _, name := range slices.Sorted(maps.Keys(s.Jobs)) {
		e := store.JobEntry{Job: s.Jobs[name].JobRecord}
		if r := s.newest(s.Jobs[name]); r != nil {
			rec := s.record(r)
			if e.Run = &rec; !p.Details {
				rec.Trim()
			}
		}
		if p.Match(&e) && (p.ByChange || name > p.After) {
			all = append(all, e)
		}
	}
	if p.ByChange {
		slices.SortFunc(all, func(a, b store.JobEntry) int { return a.Place().Compare(b.Place(), false) })
	}
	left := bounds.PageBytes
	for _, e := range all {
		if p.ByChange && p.Behind != (store.Place{}) && e.Place().Compare(p.Behind, false) <= 0 {
			continue
		}
		size := len(e.Job.Definition)
		if e.Run != nil {
			size += len(e.Run.Args) + len(e.Run.Result)
		}
		if n := len(page.Jobs); n == p.Limit || n > 0 && size > left {
			if last := &page.Jobs[n-1]; p.ByChange {
				page.Behind = last.Place()
			} else {
				page.Next = last.Job.Name
			}
			break
		}
		left -= size
		page.Jobs = append(page.Jobs, e)
	}
	return page, nil
}
