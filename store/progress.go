package store

import (
	"cmp"
	"slices"
)

// Limits of the running tasks in a run's record, so that a read is cheap for any number of them.
const (
	// maxReportingBySession leaves room for other sessions.
	maxReportingBySession = 16
)

// Reporting returns the running tasks of a session that report progress, by the number of their
// run. For each run it returns those that started first, up to the limit of RunRecord.Reporting. It
// is for implementations of Store.
func Reporting(running []RunningTask) map[int64][]RunningTask {
	var byRun map[int64][]RunningTask
	for _, t := range running {
		if t.Progress == (Progress{}) {
			continue
		}
		if byRun == nil {
			byRun = make(map[int64][]RunningTask)
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
func SortRunning(tasks []RunningTask) {
	slices.SortFunc(tasks, func(a, b RunningTask) int {
		return cmp.Or(a.Since.Compare(b.Since), cmp.Compare(a.ID, b.ID))
	})
}
