package storetest

import (
	"github.com/rollcall-go/rollcall/store"
	"github.com/rollcall-go/rollcall/store/bounds"
	"github.com/rollcall-go/rollcall/store/statuses"
	"github.com/rollcall-go/rollcall/store/verdicts"
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

// oneOfEach starts a run for each state that a run can be in.
func (s *scene) oneOfEach() map[statuses.Status]*run {
	s.tb.Helper()
	all := make(map[statuses.Status]*run)
	begin := func(status statuses.Status, p store.StartParams) (*run, *worker) {
		p.Job = s.name(string(status))
		r := s.start(p)
		all[status] = r
		return r, r.worker()
	}
	begin(statuses.Starting, store.StartParams{PreJob: hook(preJob)})
	begin(statuses.Running, store.StartParams{Open: true})
	r, w := begin(statuses.Finishing, store.StartParams{PostJob: hook(postJob)})
	w.succeed(w.of(r))
	r, w = begin(statuses.Stopping, store.StartParams{})
	w.of(r)
	r.stop(true)
	r, w = begin(statuses.Succeeded, store.StartParams{})
	w.succeed(w.of(r))
	r, w = begin(statuses.Failed, store.StartParams{})
	w.settle(failed(w.of(r)))
	r, _ = begin(statuses.Stopped, store.StartParams{})
	r.stop(false)
	r, w = begin(statuses.Skipped, store.StartParams{PreJob: hook(preJob)})
	w.settle(plain(w.of(r), verdicts.Skip))
	for status, r := range all {
		r.status(status)
	}
	return all
}

// of fetches tasks until it gets one of the run; others stay held.
func (w *worker) of(r *run) store.Delivery {
	w.s.tb.Helper()
	for {
		if d := w.one(); d.Lease.Lane.Run == r.id {
			return d
		}
	}
}
