package storetest

import (
	"github.com/rollcall-go/rollcall/store"
	"github.com/rollcall-go/rollcall/store/bounds"
)

// listRuns reads all pages. Each run must be there once, and behind those that changed later.
func (s *scene) listRuns(p store.RunsParams) (all []store.RunEntry) {
	s.tb.Helper()
	if p.Limit == 0 {
		p.Limit = bounds.MaxPage
	}
	seen := make(map[int64]bool)
	for {
		page, err := s.store.ListRuns(s.ctx, p)
		s.NoError(err)
		s.LessOrEqual(len(page.Runs), p.Limit)
		for _, e := range page.Runs {
			s.False(seen[e.Run.ID.Number], "%v is listed twice", e.Run.ID)
			seen[e.Run.ID.Number] = true
			if n := len(all); n > 0 {
				a, b := &all[n-1].Run, &e.Run
				if p.Oldest {
					a, b = b, a
				}
				s.False(
					b.Changed.After(a.Changed) || b.Changed.Equal(a.Changed) && b.ID.Number > a.ID.Number,
					"%v, which changed at %v, is listed before %v, which changed at %v", a.ID, a.Changed, b.ID, b.Changed,
				)
			}
			all = append(all, e)
		}
		if p.After = page.Next; p.After == (store.Place{}) {
			return all
		}
	}
}

// listedJobRuns names the jobs of the runs of a listing in its order, over all partitions.
func (s *scene) listedJobRuns(p store.RunsParams) (jobs []string) {
	s.tb.Helper()
	for p.Partition = range s.store.Partitions() {
		for _, e := range s.listRuns(p) {
			jobs = append(jobs, e.Run.ID.Job)
		}
	}
	return jobs
}

// listJobs reads all pages of the jobs of a partition, the last that changed first. Each must be
// there once, in its place.
func (s *scene) listJobs(p store.ListParams) (names []string) {
	s.tb.Helper()
	if p.ByChange = true; p.Limit == 0 {
		p.Limit = bounds.MaxPage
	}
	seen := make(map[string]bool)
	var last store.Place
	for {
		page, err := s.store.ListJobs(s.ctx, p)
		s.NoError(err)
		s.LessOrEqual(len(page.Jobs), p.Limit)
		for _, e := range page.Jobs {
			s.False(seen[e.Job.Name], "%s is listed twice", e.Job.Name)
			seen[e.Job.Name] = true
			s.True(last == store.Place{} || last.Compare(e.Place(), false) < 0, "%v is listed before %v", last, e.Place())
			last, names = e.Place(), append(names, e.Job.Name)
		}
		if p.Behind = page.Behind; p.Behind == (store.Place{}) {
			return names
		}
	}
}
