package rules

import (
	"cmp"
	"slices"

	"github.com/rollcall-go/rollcall/store"
)

// maxReportingBySession is how many running tasks of a session are in a run's record. It leaves room for other
// sessions.
const maxReportingBySession = 16

// Reporting returns the running tasks of a session that report progress, by the number of their
// run. For each run it returns those that started first, up to the limit of RunRecord.Reporting.
func Reporting(running []store.RunningTask) map[int64][]store.RunningTask {
	var byRun map[int64][]store.RunningTask
	for _, t := range running {
		if t.Progress == (store.Progress{}) {
			continue
		}
		if byRun == nil {
			byRun = make(map[int64][]store.RunningTask)
		}
		byRun[t.Run.Number] = append(byRun[t.Run.Number], t)
	}
	for number, tasks := range byRun {
		SortRunning(tasks)
		byRun[number] = tasks[:min(len(tasks), maxReportingBySession)]
	}
	return byRun
}

// SortRunning puts tasks in the order of [RunRecord].Reporting.
func SortRunning(tasks []store.RunningTask) {
	slices.SortFunc(tasks, func(a, b store.RunningTask) int {
		return cmp.Or(a.Since.Compare(b.Since), cmp.Compare(a.ID, b.ID))
	})
}
