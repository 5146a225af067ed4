package redisstore

import (
	"encoding/json"
	"slices"

	"github.com/rollcall-go/rollcall/store"
	"github.com/rollcall-go/rollcall/store/bounds"
	"github.com/rollcall-go/rollcall/store/redisstore/internal/format"
	"github.com/rollcall-go/rollcall/store/redisstore/internal/script"
)

// The field reporting of run:R has a line for each task that reports progress: "until session
// task", the task as JSON. It is heartbeat.lua that writes it.

// addReports adds to a heartbeat what the session's tasks report, by run, and which runs showed
// reports of it before and have none now. p.Runs are the runs whose keys the call has already, from
// index first on. It returns the runs that will show reports.
func (ses *session) addReports(
	c *script.Call, k *format.Keyspace, p *store.HeartbeatParams, numberOf func(store.RunID) int64, first int,
) map[int64]bool {
	byRun := store.Reporting(
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
			t.Run = store.RunID{}   // it is that of the hash
			b, _ := json.Marshal(t) // of strings, numbers and a time, which always marshal
			c.Add(string(b))
			shown[number] = true
		}
	}
	return shown
}
