package storetest

import (
	"time"

	"github.com/rollcall-go/rollcall/store"
	"github.com/rollcall-go/rollcall/store/actions"
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
	redo := spoilt[store.RedoParams]{
		func() store.RedoParams {
			return store.RedoParams{
				Stream: "stream",
				Number: 1,
				Run:    store.RunID{Job: "import", Number: 1},
				Action: actions.RedoRetry,
				Limit:  1,
			}
		},
		func(s *scene, p store.RedoParams) error {
			if p.Partition == 0 && p.Run.Job == "import" {
				p.Partition = s.partition("import")
			}
			_, err := s.store.RedoFailures(s.ctx, p)
			return err
		},
	}
	audited := func(field string, spoil func(l *store.AuditLine)) refusal {
		return redo.by("Audit."+field, func(p *store.RedoParams) {
			p.Audit = &store.AuditLine{Job: p.Run.Job}
			spoil(p.Audit)
		})
	}
	for _, limit := range []int{-1, 0, bounds.MaxBatch + 1} {
		all = append(all, redo.by("Limit", func(p *store.RedoParams) { p.Limit = limit }))
	}
	for _, number := range []int64{-1, 0, bounds.MaxNumber + 1} {
		all = append(all, redo.by("Number", func(p *store.RedoParams) { p.Number = number }))
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
		redo.by("Run.Job", func(p *store.RedoParams) { p.Run.Job = "" }),
		redo.by("Partition", func(p *store.RedoParams) { p.Partition = -1 }),
		redo.by("Partition", func(p *store.RedoParams) { p.Partition = 1 << 20 }),
		redo.by("Action", func(p *store.RedoParams) { p.Action = "" }),
		redo.by("Stream", func(p *store.RedoParams) { p.Stream = "" }),
		redo.by("Kinds[1]", func(p *store.RedoParams) { p.Kinds = []string{"k", "a/b"} }),
		redo.by("Audit.Run.Job", func(p *store.RedoParams) { p.Audit = &store.AuditLine{} }),
		audited("Subject", func(l *store.AuditLine) { l.Subject = binary }),
		audited("By", func(l *store.AuditLine) { l.By = binary }),
		audited("Reason", func(l *store.AuditLine) { l.Reason = binary }),
		audited("Operation", func(l *store.AuditLine) { l.Operation = binary }),
		redo.by("IDs[0]", func(p *store.RedoParams) { p.IDs = []string{""} }),
		failures.by("Run.Job", func(p *store.FailuresParams) { p.Run.Job = "" }),
		failing.by("Partition", func(p *store.FailingRunsParams) { p.Partition = -1 }),
		failing.by("Partition", func(p *store.FailingRunsParams) { p.Partition = 1 << 20 }),
		failing.by("After.Last", func(p *store.FailingRunsParams) {
			p.After.Last = time.Date(10_000, 1, 1, 0, 0, 0, 0, time.UTC)
		}),
	)
}
