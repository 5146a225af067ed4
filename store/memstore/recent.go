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

// entry is a job with its newest run. Nothing of it is copied.
func (j *job) entry() store.JobEntry {
	e := store.JobEntry{Job: j.rec}
	if n := len(j.runs); n > 0 && j.runs[n-1].rec.ID.Number == j.rec.LastRun {
		e.Run = &j.runs[n-1].rec
	}
	return e
}

// jobsBehind lists the jobs of a listing from where its page begins.
func (p *partition) jobsBehind(params *store.ListParams) (all []store.JobEntry) {
	if !params.ByChange {
		names := p.sortedNames()
		at, found := slices.BinarySearch(names, params.After)
		if found {
			at++
		}
		for _, name := range names[at:min(at+params.Limit+1, len(names))] {
			all = append(all, p.jobs[name].entry())
		}
		return all
	}
	for _, j := range p.jobs {
		if e := j.entry(); params.Match(&e) && (params.Behind == store.Place{} || e.Place().Compare(params.Behind, false) > 0) {
			all = append(all, e)
		}
	}
	slices.SortFunc(all, func(a, b store.JobEntry) int { return a.Place().Compare(b.Place(), false) })
	return all
}

// ListJobs reads a page of the jobs of one partition.
func (s *backend) ListJobs(ctx context.Context, p store.ListParams) (store.JobPage, error) {
	part, err := s.at(ctx, p.Partition)
	if err != nil {
		return store.JobPage{}, err
	}
	defer part.unlock()
	page := store.JobPage{Jobs: []store.JobEntry{}}
	bytes := newPage()
	all := part.jobsBehind(&p)
	for i, e := range all {
		size := len(e.Job.Name) + len(e.Job.Definition)
		if e.Run != nil && p.Details {
			size += len(e.Run.Args) + len(e.Run.Result)
		}
		if i == p.Limit || !bytes.fits(size) {
			if last := &all[i-1]; p.ByChange {
				page.Behind = last.Place()
			} else {
				page.Next = last.Job.Name
			}
			break
		}
		if !p.Match(&e) {
			continue
		}
		e.Job.Definition = slices.Clone(e.Job.Definition)
		if e.Run != nil {
			rec := copyRecord(*e.Run)
			if e.Run = &rec; !p.Details {
				rec.Trim()
			}
		}
		page.Jobs = append(page.Jobs, e)
	}
	return page, nil
}
