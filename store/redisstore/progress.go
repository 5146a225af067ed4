package redisstore

import (
	"encoding/json"
	"slices"

	"github.com/rollcall-go/rollcall/store"
	"github.com/rollcall-go/rollcall/store/bounds"
	"github.com/rollcall-go/rollcall/store/redisstore/internal/format"
	"github.com/rollcall-go/rollcall/store/redisstore/internal/script"
	"github.com/rollcall-go/rollcall/store/rules"
)

// The field reporting of run:R has a line for each task that reports progress: "until session
// task", the task as JSON. heartbeat.lua writes it.

// addReports adds to a heartbeat the reports of the session's tasks by run, and the runs that
// showed reports of the session before and have none now. The call already has the keys of p.Runs,
// from index first on. addReports returns the runs that will show reports.
func (ses *session) addReports(
	c *script.Call, k *format.Keyspace, p *store.HeartbeatParams, numberOf func(store.RunID) int64, first int,
) map[int64]bool {
	byRun := rules.Reporting(
		slices.DeleteFunc(slices.Clone(p.Running), func(t store.RunningTask) bool { return numberOf(t.Run) == 0 }),
	)
	ses.mu.Lock()
	for number := range ses.reporting {
		if _, ok := byRun[number]; !ok {
			if byRun == nil {
				byRun = make(map[int64][]store.RunningTask)
			}
			byRun[number] = nil
		}
	}
	ses.mu.Unlock()
	c.Int(len(byRun))
	if len(byRun) == 0 {
		return nil
	}
	index := make(map[int64]int, len(p.Runs))
	for i, id := range p.Runs {
		index[numberOf(id)] = first + i
	}
	shown := make(map[int64]bool, len(byRun))
	for number, tasks := range byRun {
		id := format.RunID(number)
		key, ok := index[number]
		if !ok {
			key = c.Key(k.Run(id))
		}
		c.Int(key).Add(id).Int(bounds.MaxReporting).Int(len(tasks))
		for _, t := range tasks {
			t.Run = store.RunID{}   // the hash belongs to the run
			b, _ := json.Marshal(t) // strings, numbers and a time always marshal
			c.Add(string(b))
			shown[number] = true
		}
	}
	return shown
}
