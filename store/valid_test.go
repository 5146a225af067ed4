package store_test

import (
	"time"

	"github.com/rollcall-go/rollcall/store"
	"github.com/rollcall-go/rollcall/store/actions"
	"github.com/rollcall-go/rollcall/store/statuses"
	"github.com/rollcall-go/rollcall/store/verdicts"
)

var (
	validRoute   = store.Route{Queue: "q", Set: "s", Kind: "k"}
	validRun     = store.RunID{Job: "job", Number: 1}
	validSession = store.SessionID{ID: "session"}
	validLease   = store.Lease{Session: "session", Lane: store.Lane{Run: validRun, Route: validRoute}, Fetch: 1}
	validStart   = store.StartParams{
		Job: "job", Token: "t", Set: "s", Root: &store.Item{Route: validRoute}, Weight: 1, Retention: time.Hour, FailureCap: 1,
	}
	validClaim = store.SemaphoreClaim{Key: "key", Token: "t", Holder: "h", Max: 1, TTL: time.Second}
	validDraw  = store.DrawParams{Limit: "limit", Holder: "h", Number: 1, TTL: time.Second}
	validScope = store.ValueScope{Of: store.ScopeRun, Job: "job", Run: 1}
	validWrite = store.Write{Scope: validScope, Name: "list", Type: store.ValueList, Op: store.WriteAppend, Data: []store.Datum{{}}}
)

// valid are parameters of every method that every Store accepts.
var valid = map[string][]any{
	"Ping":           {},
	"EnsureJob":      {store.EnsureParams{Job: "job", Type: statuses.JobStanding}},
	"SetJobDisabled": {"job", true},
	"Job":            {"job"},
	"ListJobs":       {store.ListParams{Limit: 1}},
	"JobRuns":        {"job"},
	"ListRuns":       {store.RunsParams{Limit: 1}},
	"DeleteJob":      {"job"},
	"FireRun":        {store.FireParams{Start: validStart, Next: []time.Time{time.Now()}}},
	"PostponeJob":    {store.PostponeParams{Job: "job", Problem: "p"}},
	"StartRun":       {validStart},
	"Run":            {validRun},
	"StopRun":        {store.StopParams{Run: validRun}},
	"SetRunPaused":   {validRun, true},
	"Failures":       {store.FailuresParams{Run: validRun, Limit: 1}},
	"RedoFailures":   {store.RedoParams{Stream: "stream", Number: 1, Run: validRun, Action: actions.RedoRetry, Limit: 1}},
	"FailingRuns":    {store.FailingRunsParams{Limit: 1}},
	"Results":        {store.ResultsParams{Run: validRun, Limit: 1}},
	"Tasks":          {store.TasksParams{Run: validRun, Limit: 1}},
	"ChangeTask":     {store.ChangeTaskParams{Run: validRun, ID: "task"}},
	"Inspect":        {validRun},
	"DeleteRun":      {validRun},
	"CloseProducer":  {0, "stream"},
	"OpenProducer":   {0, "stream"},
	"Enqueue": {
		store.EnqueueParams{Stream: "stream", Number: 1, Entries: entries(1), Holds: []store.HoldChange{{Run: validRun, Name: "h"}}},
	},
	"OpenSession": {validSession, store.WorkerInfo{Routes: []store.Route{validRoute}}, time.Second},
	"Fetch": {
		store.FetchParams{
			Session: validSession,
			Number:  1,
			Max:     1,
			Queues:  []store.FetchQueue{{Queue: "q", Routes: []store.Route{validRoute}}},
		},
	},
	"Settle": {
		store.SettleParams{Session: validSession, Number: 1, Outcomes: []store.Outcome{{Lease: validLease, Verdict: verdicts.Success}}},
	},
	"Stage":                 {store.StageParams{Session: validSession, Lease: validLease, Route: validRoute}},
	"Heartbeat":             {store.HeartbeatParams{Session: validSession, Lease: time.Second, Runs: []store.RunID{validRun}}},
	"Held":                  {validSession, map[store.Lease]bool(nil)},
	"SetWorkerStatus":       {store.WorkerStatusParams{Session: validSession}},
	"CloseSession":          {validSession},
	"LiveSessions":          {0},
	"QueueStats":            {0},
	"ReadHistory":           {store.HistoryParams{From: time.Unix(0, 0), To: time.Unix(60, 0)}},
	"SessionsLeft":          {0, "prefix"},
	"Reconsider":            {0, []store.Route{validRoute}},
	"AcquireSemaphore":      {validClaim},
	"RefreshSemaphore":      {"key", "token", time.Second},
	"ReleaseSemaphore":      {"key", "token"},
	"ForceReleaseSemaphore": {"key", int64(1), int64(2)},
	"SemaphoreKeys":         {store.KeysParams{Limit: 1}},
	"Limit":                 {"limit"},
	"ListValues":            {store.ValuesParams{Scope: validScope, Limit: 1}},
	"Semaphore":             {"key"},
	"Promote":               {0},
	"Sweep":                 {0},
	"Repair":                {store.RepairParams{Job: "job"}},
	"WriteValues":           {store.WriteParams{Stream: "stream", Number: 1, Writes: []store.Write{validWrite}}},
	"ReadValue":             {store.ReadParams{Scope: validScope, Name: "list", Type: store.ValueList}},
	"PublishSet":            {store.SetRecord{Name: "s"}},
	"Sets":                  {0},
	"Configuration":         {store.ConfigurationID{Set: "s"}},
	"WatchConfigurations":   {[]string{"s"}},
	"WriteConfiguration":    {store.ConfigurationWrite{ID: store.ConfigurationID{Set: "s"}, Token: "t"}},
	"ConfigurationHistory":  {store.ConfigurationID{Set: "s"}},
	"Pause":                 {0, store.Pause{Scope: store.PauseScope{Queue: "q"}}},
	"Resume":                {0, store.PauseScope{Queue: "q"}},
	"Pauses":                {0},
	"LostSessions":          {0},
	"Audit":                 {store.AuditParams{Limit: 1}},
	"Draw":                  {validDraw},
	"Forfeit":               {"limit", store.Holding{Holder: "h", Number: 1}},
}

// entries are n entries of one run.
func entries(n int) []store.Entry {
	out := make([]store.Entry, n)
	for i := range out {
		out[i] = store.Entry{Run: validRun, Item: store.Item{Route: validRoute}}
	}
	return out
}
