package memstore

import (
	"maps"
	"slices"

	"github.com/rollcall-go/rollcall/store"
	"github.com/rollcall-go/rollcall/store/bounds"
	"github.com/rollcall-go/rollcall/store/rules"
	"github.com/rollcall-go/rollcall/store/signals"
	"github.com/rollcall-go/rollcall/store/statuses"
)

// report replaces the reports of progress that a session shows in runs.
func (p *partition) report(sess *session, reports map[int64][]store.RunningTask) {
	before := sess.reports
	sess.reports = reports
	for number := range before {
		if _, ok := reports[number]; !ok {
			p.show(number, sess.id.ID, nil)
		}
	}
	for number, tasks := range reports {
		p.show(number, sess.id.ID, tasks)
	}
}

// show replaces the reporting tasks of a session in one run. A run that is neither running nor
// stopping shows none.
func (p *partition) show(number int64, session string, tasks []store.RunningTask) {
	r := p.active[number]
	if r == nil || r.rec.Status != statuses.Running && r.rec.Status != statuses.Stopping ||
		slices.Equal(r.reports[session], tasks) {
		return
	}
	if r.reports == nil {
		r.reports = make(map[string][]store.RunningTask)
	}
	r.reports[session] = tasks
	if len(tasks) == 0 {
		delete(r.reports, session)
	}
	var all []store.RunningTask
	for _, session := range slices.Sorted(maps.Keys(r.reports)) {
		all = append(all, r.reports[session]...)
	}
	all = all[:min(len(all), bounds.MaxReporting)]
	rules.SortRunning(all)
	r.rec.Reporting = all
	p.signal(store.Signal{Type: signals.Progress, Run: number})
}
