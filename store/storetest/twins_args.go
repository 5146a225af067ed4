package storetest

import (
	"fmt"
	"math"
	"reflect"
	"time"

	"github.com/rollcall-go/rollcall/store"
	"github.com/rollcall-go/rollcall/store/actions"
	"github.com/rollcall-go/rollcall/store/bounds"
	"github.com/rollcall-go/rollcall/store/histogram"
	"github.com/rollcall-go/rollcall/store/statuses"
)

// enqueue adds tasks to a run, and sometimes opens or closes a hold.
func (g *twinCalls) enqueue(run store.RunID, partition int) store.EnqueueParams {
	p := store.EnqueueParams{Partition: partition, Stream: "stream", Number: g.number("p" + fmt.Sprint(partition))}
	for _, it := range g.items(pickOf(g, scan, file)) {
		p.Entries = append(p.Entries, store.Entry{Run: run, Item: it})
	}
	if g.one(2) {
		p.Holds = []store.HoldChange{{
			Run: run, Name: "hold", Close: g.one(2), Mark: pickOf(g, "", "mark"), Guarded: g.one(3), From: pickOf(g, "", "mark"),
		}}
	}
	return p
}

// call draws a call, and spoils it.
func (g *twinCalls) call() twinCall {
	method := pickOf(g, twinMethods()...)
	if last, ok := g.repeated[method]; ok && g.one(6) {
		return last
	}
	c := twinCall{method: method, args: g.args(method)}
	for range g.IntN(3) {
		i := g.IntN(len(c.args))
		v := reflect.New(reflect.TypeOf(c.args[i])).Elem()
		v.Set(reflect.ValueOf(c.args[i]))
		g.spoil(v)
		c.args[i] = v.Interface()
	}
	if p, ok := c.args[0].(store.FetchParams); ok { // of fewer tasks, runs at the same virtual time may come in any order
		if p.Max > 0 && p.Max < bounds.MaxBatch {
			p.Max = bounds.MaxBatch
		}
		if p.MaxBytes > 0 {
			p.MaxBytes = max(p.MaxBytes, bounds.PageBytes)
		}
		c.args[0] = p
	}
	if p, ok := c.args[0].(store.TasksParams); ok { // in which order the tasks of a route wait is a store's own
		if p.Limit > 0 && p.Limit < bounds.MaxPage {
			p.Limit = bounds.MaxPage
		}
		c.args[0] = p
	}
	c = g.keepNumbers(c)
	g.repeated[method] = c
	return c
}

func (g *twinCalls) args(method string) []any {
	job, run := g.job(), g.run()
	partition := g.partition(run.Job)
	session := store.SessionID{Partition: partition, ID: "session"}
	switch method {
	case "EnsureJob":
		return []any{
			store.EnsureParams{
				Job:        job,
				Type:       pickOf(g, statuses.JobStanding, statuses.JobPeriodic),
				Definition: []byte("d"),
				Revision:   g.Int64N(3),
			},
		}
	case "SetJobDisabled":
		return []any{job, g.one(2)}
	case "Job", "JobRuns", "DeleteJob":
		return []any{job}
	case "PostponeJob":
		return []any{store.PostponeParams{Job: job, Problem: "problem"}}
	case "ListJobs":
		return []any{store.ListParams{
			Partition: partition, After: pickOf(g, "", "one", "two-"), Limit: 1000, ByChange: g.one(2), Details: g.one(2),
			Statuses: pickOf(g, nil, statuses.Active), Periodic: g.one(2),
		}}
	case "ListRuns":
		return []any{store.RunsParams{
			Partition: partition, Statuses: pickOf(g, nil, statuses.Active, statuses.Final), Job: pickOf(g, "", "", job),
			Prefix: pickOf(
				g,
				"",
				"o",
			), Labels: pickOf(g, nil, map[string]string{"tenant": "x"}), Held: g.one(4), Still: pickOf[time.Duration](g, 0, never),
			Oldest: g.one(2), Details: g.one(2), Limit: bounds.MaxPage,
		}}
	case "FireRun":
		due := pickOf(g, time.Time{}, time.Unix(0, 0), time.Now().Add(-time.Hour))
		return []any{
			store.FireParams{
				Start:   g.start(jobs[2]),
				Due:     due,
				Next:    []time.Time{time.Now().Add(-never), time.Now().Add(never).Truncate(time.Second)},
				Changes: 1,
			},
		}
	case "StartRun":
		return []any{g.start(job)}
	case "Run", "Inspect", "DeleteRun":
		return []any{run}
	case "StopRun":
		return []any{store.StopParams{Run: run, Graceful: g.one(2), Reason: "reason"}}
	case "SetRunPaused":
		return []any{run, g.one(2)}
	case "OpenProducer", "CloseProducer":
		return []any{partition, "stream"}
	case "Enqueue":
		return []any{g.enqueue(run, partition)}
	case "Promote", "Sweep", "LiveSessions", "LostSessions", "QueueStats", "Pauses":
		return []any{partition}
	case "ReadHistory":
		return []any{store.HistoryParams{Partition: partition, From: time.Unix(0, 0), To: time.Unix(60, 0)}}
	case "Audit":
		return []any{store.AuditParams{Partition: partition, Limit: 1 + g.IntN(5)}}
	case "WriteValues":
		partition, writes := g.writes()
		return []any{
			store.WriteParams{
				Partition: partition,
				Stream:    "values",
				Number:    g.number("v" + fmt.Sprint(partition)),
				Writes:    writes,
			},
		}
	case "ReadValue":
		p := store.ReadParams{Scope: g.scope(), Name: fmt.Sprint("value-", g.IntN(3)), Offset: g.Int64N(3)}
		p.Type = pickOf(
			g, store.ValueCounter, store.ValueFloat, store.ValueTime, store.ValueJSON, store.ValueList, store.ValueMap,
		)
		return []any{p}
	}
	if args := g.listingArgs(method, run, partition); args != nil {
		return args
	}
	return g.workArgs(method, run, session)
}

// listingArgs draws what is read by pages.
func (g *twinCalls) listingArgs(method string, run store.RunID, partition int) []any {
	switch method {
	case "Tasks":
		return []any{store.TasksParams{
			Run: run,
			Status: pickOf(
				g,
				"",
				"",
				statuses.TaskWaiting,
				statuses.TaskHeld,
				statuses.TaskDelayed,
				statuses.TaskRunning,
				statuses.TaskFailed,
			),
			Kind: pickOf(g, "", scan.Kind), ID: pickOf(g, "", "", "a"), Payload: g.one(2), Limit: bounds.MaxPage,
		}}
	case "Results":
		return []any{store.ResultsParams{
			Run: run, ID: pickOf(g, "", "", "a"), Kind: pickOf(g, "", scan.Kind, file.Kind), Limit: bounds.MaxPage,
		}}
	case "Failures":
		return []any{store.FailuresParams{
			Run: run, After: g.Int64N(3), Before: pickOf[int64](g, 0, 0, 1, 3), Newest: g.one(2), Limit: 1 + g.IntN(10),
		}}
	case "RedoFailures":
		stream := fmt.Sprint(partition)
		return []any{store.RedoParams{
			Partition: partition, Stream: "stream", Number: g.number("p" + stream), Run: run,
			Action: pickOf(g, actions.RedoRetry, actions.RedoRetry, actions.RedoDiscard, actions.RedoAccept, actions.RedoPostJob),
			IDs:    pickOf[[]string](g, nil, nil, []string{"a", "task"}), Kinds: pickOf(g, nil, []string{scan.Kind}),
			After: g.Int64N(2), Before: pickOf[int64](g, 0, 0, 3), Limit: 1 + g.IntN(3),
		}}
	case "FailingRuns":
		return []any{store.FailingRunsParams{Partition: partition, Limit: bounds.MaxPage}}
	}
	return nil
}

// workArgs draws what workers say.
func (g *twinCalls) workArgs(method string, run store.RunID, session store.SessionID) []any {
	stream := fmt.Sprint(session.Partition)
	switch method {
	case "OpenSession":
		return []any{session, store.WorkerInfo{Name: "worker", Host: "host", Routes: []store.Route{scan}}, never}
	case "Fetch":
		return []any{store.FetchParams{
			Session: session, Number: g.number("f" + stream), Max: bounds.MaxBatch, Queues: pickOf(g, everything(), only(scan), nil),
			Budgets: []store.Budget{
				{Scope: scope(file), Left: pickOf(g, 0, 100)},
			}, PerRun: []store.RunLimit{{Scope: scope(scan), Max: 2}},
			InReadOnly: []string{scan.Set}, Answered: store.Answered{},
		}}
	case "Settle":
		return []any{
			store.SettleParams{
				Session:  session,
				Number:   g.number("s" + stream),
				Worker:   "worker",
				Outcomes: []store.Outcome{g.outcome(run)},
				Times:    []store.RouteTimes{{Route: scan, Times: store.Times{Run: histogram.Histogram{histogram.Of(7, 1)}}}},
			},
		}
	case "Stage":
		route := pickOf(g, scan, file)
		return []any{
			store.StageParams{
				Session: session,
				Lease:   g.lease(run),
				Route:   route,
				Offset:  g.IntN(3),
				Items:   g.items(route),
			},
		}
	case "Heartbeat":
		running := []store.RunningTask{
			{Run: run, ID: "a", Kind: "k", Queue: "q", Since: time.Unix(1e9, 0), Progress: store.Progress{Done: 1}},
		}
		return []any{
			store.HeartbeatParams{
				Session:        session,
				Lease:          never,
				Runs:           []store.RunID{run},
				Running:        running,
				Configurations: map[string]int64{"photos": 2},
			},
		}
	case "Held":
		return []any{session, map[store.Lease]bool(nil)}
	case "SetWorkerStatus":
		status := pickOf(g, statuses.WorkerActive, statuses.WorkerQuiet, statuses.WorkerDraining)
		return []any{store.WorkerStatusParams{Session: session, Status: status, Worker: "worker"}}
	case "CloseSession":
		return []any{session}
	case "SessionsLeft":
		return []any{session.Partition, "session"}
	case "ChangeTask":
		return []any{g.taskChange(run)}
	case "Reconsider":
		return []any{session.Partition, []store.Route{scan, file}}
	}
	return g.sharedArgs(method, run, session)
}

// sharedArgs draws what is said of semaphores, limits and configurations, and by operators.
func (g *twinCalls) sharedArgs(method string, run store.RunID, session store.SessionID) []any {
	key := pickOf(g, "gate", "door")
	switch method {
	case "AcquireSemaphore":
		return []any{
			store.SemaphoreClaim{
				Key:    key,
				Token:  pickOf(g, "a", "b", "c"),
				Holder: "holder",
				Max:    1 + g.IntN(2),
				TTL:    never,
				Wait:   pickOf(g, 0, never),
			},
		}
	case "RefreshSemaphore":
		return []any{key, pickOf(g, "a", "b"), never}
	case "ReleaseSemaphore":
		return []any{key, pickOf(g, "a", "b")}
	case "ForceReleaseSemaphore":
		return []any{key, 1 + g.Int64N(2), pickOf(g, 1, 2, int64(math.MaxInt64))}
	case "Semaphore":
		return []any{key}
	case "Repair":
		return []any{store.RepairParams{Job: run.Job, DryRun: g.one(2), Quick: g.one(2)}}
	case "PublishSet":
		return []any{store.SetRecord{Name: "set", Description: []byte("description")}}
	case "Configuration", "ConfigurationHistory":
		return []any{g.document()}
	case "WatchConfigurations":
		return []any{[]string{"set", "third"}}
	case "WriteConfiguration":
		return []any{
			store.ConfigurationWrite{
				ID:        g.document(),
				Token:     fmt.Sprint(g.IntN(1 << 30)),
				IfVersion: g.Int64N(3) - 1,
				Document:  []byte("{}"),
				By:        "me",
			},
		}
	case "Pause":
		return []any{session.Partition, store.Pause{Scope: g.pauseScope(), By: "me", Reason: "because"}}
	case "Resume":
		return []any{session.Partition, g.pauseScope()}
	case "Draw":
		return []any{
			store.DrawParams{
				Limit:  "limit",
				Holder: pickOf(g, "a", "b"),
				Number: g.number("limit"),
				TTL:    never,
				Max:    g.IntN(4),
				Keep:   g.IntN(2),
				Want:   g.IntN(4),
			},
		}
	case "Forfeit":
		return []any{"limit", store.Holding{Holder: pickOf(g, "a", "b"), Number: 1}}
	}
	return g.listArgs(method, session.Partition)
}

// listArgs draws what lists what there is.
func (g *twinCalls) listArgs(method string, partition int) []any {
	switch method {
	case "SemaphoreKeys":
		return []any{store.KeysParams{Partition: partition, After: pickOf(g, "", "door"), Limit: bounds.MaxPage}}
	case "Limit":
		return []any{"limit"}
	case "ListValues":
		p := store.ValuesParams{
			Scope: g.scope(),
			After: pickOf(g, "", "value-0/list", "value-1/"),
			Limit: bounds.MaxPage,
		}
		if p.Partition = partition; p.Scope.Of != store.ScopeNamespace {
			p.Partition = g.partition(p.Scope.Job)
		}
		return []any{p}
	}
	panic("no arguments for " + method)
}
