package storetest

import (
	"fmt"
	"math"
	"strings"
	"time"

	"github.com/rollcall-go/rollcall/store"
	"github.com/rollcall-go/rollcall/store/bounds"
	"github.com/rollcall-go/rollcall/store/histogram"
	"github.com/rollcall-go/rollcall/store/verdicts"
)

func refusedSessions() []refusal {
	open := func(spoil func(id *store.SessionID, w *store.WorkerInfo, lease *time.Duration)) func(s *scene) error {
		return func(s *scene) error {
			id, w, lease := aSession, store.WorkerInfo{Routes: []store.Route{scan, preJob}}, time.Minute
			spoil(&id, &w, &lease)
			return s.store.OpenSession(s.ctx, id, w, lease)
		}
	}
	type params = store.HeartbeatParams
	beat := spoilt[params]{
		func() params { return params{Session: aSession, Lease: time.Minute} },
		func(s *scene, p params) error { _, err := s.store.Heartbeat(s.ctx, p); return err },
	}
	status := spoilt[store.WorkerStatusParams]{
		func() store.WorkerStatusParams { return store.WorkerStatusParams{Session: aSession} },
		func(s *scene, p store.WorkerStatusParams) error { return s.store.SetWorkerStatus(s.ctx, p) },
	}
	return []refusal{
		argument("Session.ID", open(func(id *store.SessionID, _ *store.WorkerInfo, _ *time.Duration) { id.ID = "" })),
		argument(
			"Session.ID", open(func(id *store.SessionID, _ *store.WorkerInfo, _ *time.Duration) { id.ID = longName }),
		),
		argument(
			"Session.ID", open(func(id *store.SessionID, _ *store.WorkerInfo, _ *time.Duration) { id.ID = "a:b" }),
		),
		argument("Lease", open(func(_ *store.SessionID, _ *store.WorkerInfo, lease *time.Duration) { *lease = 0 })),
		argument(
			"Lease",
			open(func(_ *store.SessionID, _ *store.WorkerInfo, lease *time.Duration) { *lease = -time.Second }),
		),
		argument(
			"Info.Routes[1].Set",
			open(func(_ *store.SessionID, w *store.WorkerInfo, _ *time.Duration) { w.Routes[1].Set = "" }),
		),
		argument("Info.Name", open(func(_ *store.SessionID, w *store.WorkerInfo, _ *time.Duration) {
			w.Name = strings.Repeat("n", bounds.MaxNoteLen+1)
		})),
		argument("Info.Host", open(func(_ *store.SessionID, w *store.WorkerInfo, _ *time.Duration) {
			w.Host = strings.Repeat("h", bounds.MaxNoteLen+1)
		})),
		argument("Info.Version", open(func(_ *store.SessionID, w *store.WorkerInfo, _ *time.Duration) {
			w.Version = strings.Repeat("v", bounds.MaxVersionLen+1)
		})),
		argument(
			"Info.Started",
			open(func(_ *store.SessionID, w *store.WorkerInfo, _ *time.Duration) { w.Started = afterTime }),
		),
		argument(
			"Info.Status", open(func(_ *store.SessionID, w *store.WorkerInfo, _ *time.Duration) { w.Status = "asleep" }),
		),
		status.by("Session.ID", func(p *store.WorkerStatusParams) { p.Session.ID = "" }),
		status.by("Status", func(p *store.WorkerStatusParams) { p.Status = "asleep" }),
		status.by("Worker", func(p *store.WorkerStatusParams) { p.Worker = strings.Repeat("w", bounds.MaxNoteLen+1) }),
		beat.by("Session.ID", func(p *params) { p.Session.ID = "" }),
		beat.by("Answered.Fetched", func(p *params) { p.Answered.Fetched = -1 }),
		beat.by("Answered.Settled", func(p *params) { p.Answered.Settled = bounds.MaxNumber + 1 }),
		beat.by("Lease", func(p *params) { p.Lease = 0 }),
		beat.by("Configurations", func(p *params) { p.Configurations = map[string]int64{"": 1} }),
		beat.by("Configurations", func(p *params) { p.Configurations = map[string]int64{"photos": -1} }),
		beat.by(
			"Running[0].Since", func(p *params) { p.Running = []store.RunningTask{{Run: aRun, Since: beforeTime}} },
		),
		argument(
			"Session.ID", func(s *scene) error { _, err := s.store.Held(s.ctx, store.SessionID{}, nil); return err },
		),
		argument("Session.ID", func(s *scene) error { return s.store.CloseSession(s.ctx, store.SessionID{}) }),
		argument("Routes[0].Kind", func(s *scene) error {
			return s.store.Reconsider(s.ctx, 0, []store.Route{{Queue: "q", Set: "s", Kind: "a/b"}})
		}),
	}
}

func refusedFetches() []refusal {
	type params = store.FetchParams
	fetch := spoilt[params]{
		func() params {
			return params{
				Session: aSession, Number: 1, Max: 1, Queues: everything(), InReadOnly: []string{"ops"},
				Budgets: []store.Budget{{Scope: scope(scan)}}, PerRun: []store.RunLimit{{Scope: scope(scan)}},
			}
		},
		func(s *scene, p params) error { _, err := s.store.Fetch(s.ctx, p); return err },
	}
	return []refusal{
		fetch.by("Session.ID", func(p *params) { p.Session.ID = "" }),
		fetch.by("Number", func(p *params) { p.Number = 0 }),
		fetch.by("Answered.Fetched", func(p *params) { p.Answered.Fetched = -1 }),
		fetch.by("Max", func(p *params) { p.Max = 0 }),
		fetch.by("Max", func(p *params) { p.Max = bounds.MaxBatch + 1 }),
		fetch.by("MaxBytes", func(p *params) { p.MaxBytes = -1 }),
		fetch.by("Queues[1].Queue", func(p *params) { p.Queues[1] = store.FetchQueue{Queue: ""} }),
		fetch.by("Queues[0].Routes[2].Queue", func(p *params) { p.Queues[0].Routes[2] = file }),
		fetch.by("Queues[0].Routes[2].Kind", func(p *params) { p.Queues[0].Routes[2].Kind = "" }),
		fetch.by("Budgets[0].Scope.Set", func(p *params) { p.Budgets[0].Scope.Set = "" }),
		fetch.by("Budgets[0].Scope.Kinds[0]", func(p *params) { p.Budgets[0].Scope.Kinds[0] = "a/b" }),
		fetch.by("Budgets[0].Until", func(p *params) { p.Budgets[0].Until = afterTime }),
		fetch.by("PerRun[0].Scope.Set", func(p *params) { p.PerRun[0].Scope.Set = "a/b" }),
		fetch.by("InReadOnly[0]", func(p *params) { p.InReadOnly[0] = "a/b" }),
	}
}

func refusedOutcomes() []refusal {
	type params = store.SettleParams
	settle := spoilt[params]{
		func() params {
			return params{
				Session:  aSession,
				Number:   1,
				Outcomes: []store.Outcome{{Lease: aLease, Verdict: verdicts.Success}},
			}
		},
		func(s *scene, p params) error { _, err := s.store.Settle(s.ctx, p); return err },
	}
	outcome := func(field string, spoil func(o *store.Outcome)) refusal {
		return settle.by("Outcomes[0]."+field, func(p *params) { spoil(&p.Outcomes[0]) })
	}
	times := func(field string, spoil func(t *store.RouteTimes)) refusal {
		return settle.by("Times[0]."+field, func(p *params) {
			p.Times = []store.RouteTimes{{Route: scan}}
			spoil(&p.Times[0])
		})
	}
	write := func(field string, w store.Write) refusal {
		return outcome("Writes[0]."+field, func(o *store.Outcome) { o.Writes = []store.Write{w} })
	}
	list := store.Write{Scope: store.RunScope(aRun), Name: "list", Type: store.ValueList, Op: store.WriteAppend}
	all := []refusal{
		settle.by("Session.ID", func(p *params) { p.Session.ID = "" }),
		settle.by("Number", func(p *params) { p.Number = 0 }),
		settle.by("Answered.Settled", func(p *params) { p.Answered.Settled = -1 }),
		settle.by(
			"Outcomes", func(p *params) { p.Outcomes = make([]store.Outcome, bounds.MaxBatch+1); fill(p.Outcomes) },
		),
		settle.by(
			"Outcomes.Children", func(p *params) { p.Outcomes[0].Children = tasks(scan, "t", bounds.MaxBatch+1) },
		),
		settle.by("Times", func(p *params) { p.Times = make([]store.RouteTimes, bounds.MaxRouteTimes+1) }),
		times("Route.Set", func(t *store.RouteTimes) { t.Route.Set = "a/b" }),
		times("Route", func(t *store.RouteTimes) { t.Route.Kind = store.KindPostJob }),
		times("Wait", func(t *store.RouteTimes) { t.Wait = histogram.Histogram{{Count: 1}} }),
		times("Run", func(t *store.RouteTimes) { t.Run = histogram.Histogram{histogram.Of(3, 0)} }),
		times("Run", func(t *store.RouteTimes) { t.Run = histogram.Histogram{histogram.Of(3, bounds.MaxNumber+1)} }),
		outcome("Lease.Lane.Route.Set", func(o *store.Outcome) { o.Lease.Lane.Route.Set = "a/b" }),
		outcome("Verdict", func(o *store.Outcome) { o.Verdict = 0 }),
		outcome("Verdict", func(o *store.Outcome) { o.Verdict = verdicts.HookDone + 1 }),
		outcome("Verdict", func(o *store.Outcome) { o.Verdict = verdicts.Begin }),
		outcome("Verdict", func(o *store.Outcome) {
			o.Lease.Lane.Route.Kind, o.Verdict = store.KindPostJob, verdicts.HookDone+1
		}),
		outcome("Task.Retry", func(o *store.Outcome) { o.Task.Retry = -1 }),
		outcome("Task.Retry", func(o *store.Outcome) { o.Verdict, o.Task.Retry = verdicts.Retry, -1 }),
		outcome("Counters", func(o *store.Outcome) { o.Counters = manyCounters() }),
		outcome(`Counters["a b"]`, func(o *store.Outcome) { o.Counters = map[string]int64{"a b": 1} }),
		outcome(
			"Staged[0].Route.Queue",
			func(o *store.Outcome) { o.Staged = []store.Staged{{Count: 1, Route: store.Route{Set: "s", Kind: "k"}}} },
		),
		outcome("Staged[0].Route.Kind", func(o *store.Outcome) { o.Staged = []store.Staged{staged(preJob, 1)} }),
		outcome("Staged[0].Count", func(o *store.Outcome) { o.Staged = []store.Staged{staged(file, -1)} }),
		outcome(
			"Staged[1].Route", func(o *store.Outcome) { o.Staged = []store.Staged{staged(file, 1), staged(file, 1)} },
		),
		outcome("Keep.Age", func(o *store.Outcome) { o.Result, o.Keep.Age = []byte("1"), -1 }),
		outcome("Keep.Age", func(o *store.Outcome) { o.Result, o.Keep.Age = []byte("1"), time.Microsecond }),
		outcome("Keep.Age", func(o *store.Outcome) { o.Result, o.Keep.Age = []byte("1"), bounds.MaxFill+1 }),
		outcome("Keep.Number", func(o *store.Outcome) { o.Result, o.Keep.Number = []byte("1"), -1 }),
		outcome("Result", func(o *store.Outcome) { o.Result = make([]byte, bounds.MaxResultLen+1) }),
		outcome("Writes[1].Name", func(o *store.Outcome) {
			field := store.Write{Scope: list.Scope, Name: list.Name, Type: store.ValueMap, Op: store.WriteSet}
			o.Writes = []store.Write{list, field}
		}),
		outcome("Writes", func(o *store.Outcome) {
			half := make([]store.Datum, bounds.MaxData/2+1)
			o.Writes = []store.Write{list, list}
			o.Writes[0].Data, o.Writes[1].Data = half, half
		}),
		outcome("Writes", func(o *store.Outcome) {
			half := []store.Datum{{Bytes: make([]byte, bounds.MaxOutcomeWriteLen/2+1)}}
			o.Writes = []store.Write{list, list}
			o.Writes[0].Data, o.Writes[1].Data = half, half
		}),
	}
	for field, spoil := range map[string]func(w *store.Write){
		"Name":  func(w *store.Write) { w.Name = "" },
		"Scope": func(w *store.Write) { w.Scope = store.JobScope("other") },
		"Op":    func(w *store.Write) { w.Op = store.WriteDelete },
	} {
		w := list
		spoil(&w)
		all = append(all, write(field, w))
	}
	return all
}

// fill makes successes of outcomes.
func fill(outcomes []store.Outcome) {
	for i := range outcomes {
		outcomes[i] = store.Outcome{Lease: aLease, Verdict: verdicts.Success}
	}
}

func manyCounters() map[string]int64 {
	all := make(map[string]int64)
	for i := range bounds.MaxCounters + 1 {
		all[fmt.Sprint("c", i)] = 1
	}
	return all
}

func refusedStages() []refusal {
	type params = store.StageParams
	stage := spoilt[params]{
		func() params {
			return params{Session: aSession, Lease: aLease, Route: file, Items: tasks(file, "t", 2)}
		},
		func(s *scene, p params) error { return s.store.Stage(s.ctx, p) },
	}
	return []refusal{
		stage.by("Session.ID", func(p *params) { p.Session.ID = "" }),
		stage.by("Lease.Lane.Route.Kind", func(p *params) { p.Lease.Lane.Route.Kind = "" }),
		stage.by("Offset", func(p *params) { p.Offset = -1 }),
		stage.by("Offset", func(p *params) { p.Offset = math.MaxInt }),
		stage.by("Items", func(p *params) { p.Items = tasks(file, "t", bounds.MaxBatch+1) }),
		stage.by("Items[1].Route", func(p *params) { p.Items[1].Route = scan }),
		stage.by("Route.Kind", func(p *params) { p.Route, p.Items = store.Route{Queue: "q", Set: "s"}, nil }),
	}
}
