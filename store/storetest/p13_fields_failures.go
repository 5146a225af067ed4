package storetest

import (
	"time"

	"github.com/rollcall-go/rollcall/store"
	"github.com/rollcall-go/rollcall/store/bounds"
)

func refusedFailures() (all []refusal) {
	failures := spoilt[store.FailuresParams]{
		func() store.FailuresParams { return store.FailuresParams{Run: aRun, Limit: 1} },
		func(s *scene, p store.FailuresParams) error { _, err := s.store.Failures(s.ctx, p); return err },
	}
	failing := spoilt[store.FailingRunsParams]{
		func() store.FailingRunsParams { return store.FailingRunsParams{Limit: 1} },
		func(s *scene, p store.FailingRunsParams) error { _, err := s.store.FailingRuns(s.ctx, p); return err },
	}
	for _, limit := range []int{-1, 0, bounds.MaxPage + 1} {
		all = append(
			all,
			failures.by("Limit", func(p *store.FailuresParams) { p.Limit = limit }),
			failing.by("Limit", func(p *store.FailingRunsParams) { p.Limit = limit }),
		)
	}
	return append(
		all,
		failures.by("Run.Job", func(p *store.FailuresParams) { p.Run.Job = "" }),
		failing.by("Partition", func(p *store.FailingRunsParams) { p.Partition = -1 }),
		failing.by("Partition", func(p *store.FailingRunsParams) { p.Partition = 1 << 20 }),
		failing.by("After.Last", func(p *store.FailingRunsParams) {
			p.After.Last = time.Date(10_000, 1, 1, 0, 0, 0, 0, time.UTC)
		}),
	)
}
