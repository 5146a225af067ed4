package store

import (
	"cmp"
	"slices"
)

// Limits of what a run shows of its running tasks, so that reading it stays cheap however many there are.
const (
	// MaxReporting bounds RunRecord.Reporting.
	MaxReporting = 64
	// maxReportingBySession leaves room for other sessions.
	maxReportingBySession = 16
)

// Reporting picks, out of what a session runs, the tasks that report progress by the number of their run: those that started first, as
// many as one session may show in [RunRecord].Reporting. It is for implementers of [Store].
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
