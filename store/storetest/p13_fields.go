package storetest

import (
	"fmt"
	"math"
	"slices"
	"strings"
	"time"

	"github.com/rollcall-go/rollcall/store"
	"github.com/rollcall-go/rollcall/store/bounds"
	"github.com/rollcall-go/rollcall/store/statuses"
	"github.com/rollcall-go/rollcall/store/verdicts"
)

// refusal is a call with one wrong field, and the name of this field in the answer.
type refusal struct {
	field string
	call  func(s *scene) error
}

// spoilt makes refusals of a method. Each has the parameters of an accepted call with one field
// changed.
type spoilt[P any] struct {
	valid func() P
	call  func(s *scene, p P) error
}

func (m spoilt[P]) by(field string, spoil func(p *P)) refusal {
	return refusal{field, func(s *scene) error {
		p := m.valid()
		spoil(&p)
		return m.call(s, p)
	}}
}

// argument is a refusal of a method because of one argument.
func argument(field string, call func(s *scene) error) refusal { return refusal{field, call} }

var (
	longName   = strings.Repeat("n", bounds.MaxNameLen+1)
	longID     = strings.Repeat("i", bounds.MaxTaskIDLen+1)
	binary     = "\xff\xfe"
	afterTime  = time.Date(10000, 1, 1, 0, 0, 0, 0, time.UTC)
	beforeTime = time.Time{}.Add(-1)
	before1970 = time.Date(1969, 12, 31, 23, 59, 59, 0, time.UTC)
	aRun       = store.RunID{Job: "import", Number: 1}
	aSession   = store.SessionID{ID: "session"}
	aLease     = store.Lease{Session: "session", Lane: store.Lane{Run: aRun, Route: scan}, Fetch: 1}
)

// everyRefusal has each check of the contract at least once.
func everyRefusal() (all []refusal) {
	for _, list := range [][]refusal{
		refusedJobs(), refusedStarts(), refusedItems(), refusedEnqueues(), refusedSessions(), refusedPauses(), refusedFailures(),
		refusedFetches(), refusedOutcomes(),
		refusedStages(), refusedSemaphores(), refusedLimits(), refusedValues(), refusedInventory(),
		refusedConfigurations(), refusedPartitions(),
	} {
		all = append(all, list...)
	}
	return all
}

func refusedJobs() []refusal {
	ensure := spoilt[store.EnsureParams]{
		func() store.EnsureParams { return store.EnsureParams{Job: "import", Type: statuses.JobStanding} },
		func(s *scene, p store.EnsureParams) error { _, err := s.store.EnsureJob(s.ctx, p); return err },
	}
	list := spoilt[store.ListParams]{
		func() store.ListParams { return store.ListParams{Limit: 1} },
		func(s *scene, p store.ListParams) error { _, err := s.store.ListJobs(s.ctx, p); return err },
	}
	repair := spoilt[store.RepairParams]{
		func() store.RepairParams { return store.RepairParams{Job: "import"} },
		func(s *scene, p store.RepairParams) error { _, err := s.store.Repair(s.ctx, p); return err },
	}
	postpone := spoilt[store.PostponeParams]{
		func() store.PostponeParams { return store.PostponeParams{Job: "import", Problem: "no registry"} },
		func(s *scene, p store.PostponeParams) error { return s.store.PostponeJob(s.ctx, p) },
	}
	tasks := spoilt[store.TasksParams]{
		func() store.TasksParams { return store.TasksParams{Run: aRun, Limit: 1} },
		func(s *scene, p store.TasksParams) error { _, err := s.store.Tasks(s.ctx, p); return err },
	}
	change := spoilt[store.ChangeTaskParams]{
		func() store.ChangeTaskParams { return store.ChangeTaskParams{Run: aRun, ID: "task"} },
		func(s *scene, p store.ChangeTaskParams) error { _, err := s.store.ChangeTask(s.ctx, p); return err },
	}
	results := spoilt[store.ResultsParams]{
		func() store.ResultsParams { return store.ResultsParams{Run: aRun, Limit: 1} },
		func(s *scene, p store.ResultsParams) error { _, err := s.store.Results(s.ctx, p); return err },
	}
	runs := spoilt[store.RunsParams]{
		func() store.RunsParams { return store.RunsParams{Limit: 1} },
		func(s *scene, p store.RunsParams) error { _, err := s.store.ListRuns(s.ctx, p); return err },
	}
	return []refusal{
		runs.by(
			"Statuses[1]",
			func(p *store.RunsParams) { p.Statuses = []statuses.Status{statuses.Failed, "waiting"} },
		),
		runs.by("Name", func(p *store.RunsParams) { p.Job = " import" }),
		runs.by("Set", func(p *store.RunsParams) { p.Set = "a/b" }),
		runs.by("Labels[a b]", func(p *store.RunsParams) { p.Labels = map[string]string{"a b": ""} }),
		runs.by("Still", func(p *store.RunsParams) { p.Still = -1 }),
		runs.by("After", func(p *store.RunsParams) { p.After.Changed = -1 }),
		runs.by("After", func(p *store.RunsParams) { p.After.Changed = 1e13 }),
		runs.by("After", func(p *store.RunsParams) { p.After.Number = -1 }),
		runs.by("Limit", func(p *store.RunsParams) { p.Limit = 0 }),
		runs.by("Limit", func(p *store.RunsParams) { p.Limit = bounds.MaxPage + 1 }),
		tasks.by("Run.Job", func(p *store.TasksParams) { p.Run.Job = "" }),
		tasks.by("Status", func(p *store.TasksParams) { p.Status = "succeeded" }),
		tasks.by("Queue", func(p *store.TasksParams) { p.Queue = longName }),
		tasks.by("Set", func(p *store.TasksParams) { p.Set = "a/b" }),
		tasks.by("Kind", func(p *store.TasksParams) { p.Kind = store.KindPreJob }),
		tasks.by("ID", func(p *store.TasksParams) { p.ID = longID }),
		tasks.by("Cursor", func(p *store.TasksParams) { p.Cursor = "next" }),
		tasks.by("Limit", func(p *store.TasksParams) { p.Limit = 0 }),
		tasks.by("Limit", func(p *store.TasksParams) { p.Limit = bounds.MaxPage + 1 }),
		tasks.by("Claimed", func(p *store.TasksParams) { p.Claimed = true }),
		change.by("Run.Job", func(p *store.ChangeTaskParams) { p.Run.Job = "" }),
		change.by("ID", func(p *store.ChangeTaskParams) { p.ID = "" }),
		change.by("ID", func(p *store.ChangeTaskParams) { p.ID = longID }),
		change.by("Due", func(p *store.ChangeTaskParams) { p.Cancel, p.Due = true, time.Unix(1, 0) }),
		change.by("Due", func(p *store.ChangeTaskParams) { p.Due = beforeTime }),
		change.by("Due", func(p *store.ChangeTaskParams) { p.Due = afterTime }),
		results.by("Run.Job", func(p *store.ResultsParams) { p.Run.Job = "" }),
		results.by("ID", func(p *store.ResultsParams) { p.ID = longID }),
		results.by("Kind", func(p *store.ResultsParams) { p.Kind = "a/b" }),
		results.by("After", func(p *store.ResultsParams) { p.After = "next" }),
		results.by("After", func(p *store.ResultsParams) { p.After = "set/kind/0" }),
		results.by("After", func(p *store.ResultsParams) { p.After = "set/a b/1" }),
		results.by("After", func(p *store.ResultsParams) { p.After = "a b/kind/1" }),
		results.by("Limit", func(p *store.ResultsParams) { p.Limit = 0 }),
		results.by("Limit", func(p *store.ResultsParams) { p.Limit = bounds.MaxPage + 1 }),
		postpone.by("Name", func(p *store.PostponeParams) { p.Job = "" }),
		postpone.by("Problem", func(p *store.PostponeParams) { p.Problem = "" }),
		postpone.by(
			"Problem", func(p *store.PostponeParams) { p.Problem = strings.Repeat("p", bounds.MaxProblemLen+1) },
		),
		postpone.by("Problem", func(p *store.PostponeParams) { p.Problem = binary }),
		ensure.by("Name", func(p *store.EnsureParams) { p.Job = "" }),
		ensure.by("Name", func(p *store.EnsureParams) { p.Job = strings.Repeat("n", bounds.MaxJobNameLen+1) }),
		ensure.by("Name", func(p *store.EnsureParams) { p.Job = binary }),
		ensure.by("Name", func(p *store.EnsureParams) { p.Job = " import" }),
		ensure.by("Name", func(p *store.EnsureParams) { p.Job = "im\x00port" }),
		ensure.by("Name", func(p *store.EnsureParams) { p.Job = "im\u200bport" }),
		ensure.by("Type", func(p *store.EnsureParams) { p.Type = statuses.JobSinglePass }),
		ensure.by("Definition", func(p *store.EnsureParams) { p.Definition = make([]byte, bounds.MaxDefinitionLen+1) }),
		ensure.by("Schedule", func(p *store.EnsureParams) { p.Schedule = make([]byte, bounds.MaxDefinitionLen+1) }),
		list.by("Limit", func(p *store.ListParams) { p.Limit = 0 }),
		list.by("Statuses[0]", func(p *store.ListParams) { p.Statuses = []statuses.Status{"odd"} }),
		list.by("Behind", func(p *store.ListParams) { p.Behind.Changed = -1 }),
		list.by("Limit", func(p *store.ListParams) { p.Limit = bounds.MaxPage + 1 }),
		repair.by("Name", func(p *store.RepairParams) { p.Job = "" }),
		repair.by("Run", func(p *store.RepairParams) { p.Run = -1 }),
		argument("Name", func(s *scene) error { return s.store.SetJobDisabled(s.ctx, "", true) }),
		argument("Name", func(s *scene) error { _, err := s.store.Job(s.ctx, ""); return err }),
		argument("Name", func(s *scene) error { _, err := s.store.JobRuns(s.ctx, ""); return err }),
		argument("Name", func(s *scene) error { return s.store.DeleteJob(s.ctx, "") }),
		argument("Run.Job", func(s *scene) error { _, err := s.store.Run(s.ctx, store.RunID{}); return err }),
		argument("Run.Job", func(s *scene) error { return s.store.StopRun(s.ctx, store.StopParams{}) }),
		argument("Reason", func(s *scene) error {
			return s.store.StopRun(s.ctx, store.StopParams{Run: aRun, Reason: binary})
		}),
		argument("Reason", func(s *scene) error {
			long := strings.Repeat("t", bounds.MaxNoteLen+1)
			return s.store.StopRun(s.ctx, store.StopParams{Run: aRun, Reason: long})
		}),
		argument("Run.Job", func(s *scene) error { return s.store.SetRunPaused(s.ctx, store.RunID{}, true) }),
		argument("Run.Job", func(s *scene) error { _, err := s.store.Inspect(s.ctx, store.RunID{}); return err }),
		argument("Run.Job", func(s *scene) error { return s.store.DeleteRun(s.ctx, store.RunID{}) }),
		argument("Fn", func(s *scene) error { return s.store.Subscribe(s.ctx, nil) }),
	}
}

func refusedStarts() []refusal {
	start := spoilt[store.StartParams]{
		func() store.StartParams {
			root := task(scan, "root")
			return store.StartParams{
				Job:        "import",
				Token:      "token",
				Set:        "ingest",
				Root:       &root,
				Weight:     1,
				Retention:  time.Hour,
				FailureCap: 1,
			}
		},
		func(s *scene, p store.StartParams) error { _, err := s.store.StartRun(s.ctx, p); return err },
	}
	fire := spoilt[store.FireParams]{
		func() store.FireParams { return store.FireParams{Start: start.valid(), Next: []time.Time{time.Now()}} },
		func(s *scene, p store.FireParams) error { _, err := s.store.FireRun(s.ctx, p); return err },
	}
	type params = store.StartParams
	all := []refusal{
		start.by("Name", func(p *params) { p.Job = "" }),
		start.by("Token", func(p *params) { p.Token = "" }),
		start.by("Token", func(p *params) { p.Token = strings.Repeat("t", 2*bounds.MaxTaskIDLen+1) }),
		start.by("Set", func(p *params) { p.Set = "" }),
		start.by("Args", func(p *params) { p.Args = make([]byte, bounds.DefaultMaxPayload+1) }),
		start.by("Headers", func(p *params) { p.Headers = map[string]string{binary: ""} }),
		start.by("Headers", func(p *params) { p.Headers = map[string]string{"key": binary} }),
		start.by("Labels", func(p *params) { p.Labels = labelled(bounds.MaxLabels + 1) }),
		start.by("Labels[]", func(p *params) { p.Labels = map[string]string{"": "v"} }),
		start.by("Labels[a/b]", func(p *params) { p.Labels = map[string]string{"a/b": "v"} }),
		start.by(
			"Labels[k]",
			func(p *params) { p.Labels = map[string]string{"k": strings.Repeat("v", bounds.MaxLabelLen+1)} },
		),
		start.by("Labels[k]", func(p *params) { p.Labels = map[string]string{"k": binary} }),
		start.by("Labels[k]", func(p *params) { p.Labels = map[string]string{"k": "a\u200bb"} }),
		start.by("Root", func(p *params) { p.Root = nil }),
		start.by("Root.Route.Kind", func(p *params) { p.Root = hook(preJob) }),
		start.by("PreJob.Route.Kind", func(p *params) { p.PreJob = hook(postJob) }),
		start.by("PostJob.Route.Kind", func(p *params) { p.PostJob = hook(preJob) }),
		start.by("SealAfter", func(p *params) { p.SealAfter = -1 }),
		start.by("StopAfter", func(p *params) { p.StopAfter = -1 }),
		start.by("Deadline", func(p *params) { p.Deadline = -1 }),
		start.by("StopAfter", func(p *params) { p.SealAfter, p.StopAfter = time.Second, time.Second }),
		start.by("Retention", func(p *params) { p.Retention = 0 }),
		start.by("OnFailure", func(p *params) { p.OnFailure = "wait" }),
		start.by("FailureCap", func(p *params) { p.FailureCap = 0 }),
		start.by("RedriveOf", func(p *params) { p.RedriveOf = -1 }),
		start.by("RedriveOf", func(p *params) { p.RedriveOf = bounds.MaxNumber + 1 }),
		start.by("Configuration", func(p *params) { p.Configuration = make([]byte, bounds.MaxConfigurationLen+1) }),
		start.by("Due", func(p *params) { p.Due = before1970 }),
		start.by("Due", func(p *params) { p.Due = afterTime }),
		fire.by("Name", func(p *store.FireParams) { p.Start.Job = "" }),
		fire.by("Due", func(p *store.FireParams) { p.Due = before1970 }),
		fire.by("Changes", func(p *store.FireParams) { p.Changes = -1 }),
		fire.by("Next", func(p *store.FireParams) { p.Next = nil }),
		fire.by("Next", func(p *store.FireParams) { p.Next = slices.Repeat(p.Next, bounds.MaxDueTimes+1) }),
		fire.by("Next[0]", func(p *store.FireParams) { p.Next = []time.Time{{}} }),
		fire.by("Next[0]", func(p *store.FireParams) { p.Next = []time.Time{before1970} }),
		fire.by("Next[1]", func(p *store.FireParams) { p.Next = append(p.Next, p.Next[0]) }),
		fire.by("Delay", func(p *store.FireParams) { p.Delay = -1 }),
		fire.by("Rest", func(p *store.FireParams) { p.Rest = -1 }),
	}
	for _, weight := range []float64{0, -1, math.NaN(), math.Inf(1), bounds.MinWeight / 2, bounds.MaxWeight * 2} {
		all = append(all, start.by("Weight", func(p *params) { p.Weight = weight }))
	}
	for field, spoil := range map[string]func(it *store.Item){
		"Delay":        func(it *store.Item) { it.Delay = 1 },
		"At":           func(it *store.Item) { it.At = time.Now() },
		"Task.Claimed": func(it *store.Item) { it.Task.Claimed = true },
		"Task.Keep":    func(it *store.Item) { it.Task.Keep = -1 },
		"Task.Expires": func(it *store.Item) { it.Task.Expires = time.UnixMilli(1) },
		"Route.Queue":  func(it *store.Item) { it.Route.Queue = "" },
	} {
		all = append(all, start.by("PreJob."+field, func(p *params) { p.PreJob = hook(preJob); spoil(p.PreJob) }))
		all = append(all, start.by("PostJob."+field, func(p *params) { p.PostJob = hook(postJob); spoil(p.PostJob) }))
	}
	return all
}

// refusedItems has all problems of a task, for every way to add it.
func refusedItems() (all []refusal) {
	for _, bad := range []struct {
		field string
		spoil func(it *store.Item)
	}{
		{"Route.Queue", func(it *store.Item) { it.Route.Queue = "a/b" }},
		{"Route.Set", func(it *store.Item) { it.Route.Set = longName }},
		{"Route.Kind", func(it *store.Item) { it.Route.Kind = "@other" }},
		{"Route.Kind", func(it *store.Item) { it.Route.Kind = store.KindPostJob }},
		{"Task.ID", func(it *store.Item) { it.Task.ID, it.Task.Claimed = "", true }},
		{"Task.ID", func(it *store.Item) { it.Task.ID = longID }},
		{"Task.ID", func(it *store.Item) { it.Task.ID = binary }},
		{"Task.Keep", func(it *store.Item) { it.Task.Keep = -1 }},
		{"Task.Retry", func(it *store.Item) { it.Task.Retry = -1 }},
		{"Task.Snoozes", func(it *store.Item) { it.Task.Snoozes = -1 }},
		{"Task.Crashes", func(it *store.Item) { it.Task.Crashes = math.MaxInt }},
		{"Task.Payload", func(it *store.Item) { it.Task.Payload = make([]byte, bounds.DefaultMaxPayload+1) }},
		{"Task.Enqueued", func(it *store.Item) { it.Task.Enqueued = afterTime }},
		{"Task.Ready", func(it *store.Item) { it.Task.Ready = afterTime }},
		{"Task.Expires", func(it *store.Item) { it.Task.Expires = afterTime }},
		{"Task.Expires", func(it *store.Item) { it.Task.Expires = before1970 }},
		{"Task.Expires", func(it *store.Item) { it.Task.Expires = time.UnixMilli(1).Add(1) }},
		{"Task.Expires", func(it *store.Item) { it.At, it.Task.Expires = time.UnixMilli(1), time.UnixMilli(1) }},
		{"Task.Headers", func(it *store.Item) { it.Task.Headers = map[string]string{"key": binary} }},
		{"At", func(it *store.Item) { it.At = afterTime }},
		{"At", func(it *store.Item) { it.At, it.Delay = time.Now(), 1 }},
		{"Task.Keep", func(it *store.Item) { it.At, it.Task.Keep = time.Now(), -1 }},
	} {
		item := func() store.Item {
			it := task(scan, "t")
			bad.spoil(&it)
			return it
		}
		good := task(file, "good")
		all = append(all,
			argument("Root."+bad.field, func(s *scene) error {
				it := item()
				_, err := s.store.StartRun(s.ctx, s.params(store.StartParams{Job: "import", Root: &it}))
				return err
			}),
			argument("Entries[1].Item."+bad.field, func(s *scene) error {
				entries := []store.Entry{{Run: aRun, Item: good}, {Run: aRun, Item: item()}}
				p := store.EnqueueParams{
					Partition: s.partition(aRun.Job),
					Stream:    "stream",
					Number:    1,
					Entries:   entries,
				}
				_, err := s.store.Enqueue(s.ctx, p)
				return err
			}),
			argument("Outcomes[0].Children[1]."+bad.field, func(s *scene) error {
				o := store.Outcome{Lease: aLease, Verdict: verdicts.Success, Children: []store.Item{good, item()}}
				_, err := s.store.Settle(
					s.ctx, store.SettleParams{Session: aSession, Number: 1, Outcomes: []store.Outcome{o}},
				)
				return err
			}),
		)
		if !strings.HasPrefix(bad.field, "Route.") {
			all = append(all, argument("Items[1]."+bad.field, func(s *scene) error {
				return s.store.Stage(
					s.ctx,
					store.StageParams{
						Session: aSession,
						Lease:   aLease,
						Route:   scan,
						Items:   []store.Item{task(scan, "good"), item()},
					},
				)
			}))
		}
	}
	return all
}

func refusedEnqueues() []refusal {
	type params = store.EnqueueParams
	enqueue := spoilt[params]{
		func() params { return params{Stream: "stream", Number: 1} },
		func(s *scene, p params) error {
			if p.Partition == 0 {
				p.Partition = s.partition(aRun.Job)
			}
			_, err := s.store.Enqueue(s.ctx, p)
			return err
		},
	}
	hold := func(h store.HoldChange) func(p *params) {
		h.Run = aRun
		return func(p *params) { p.Holds = []store.HoldChange{{Run: aRun, Name: "good"}, h} }
	}
	return []refusal{
		enqueue.by("Stream", func(p *params) { p.Stream = "" }),
		enqueue.by("Number", func(p *params) { p.Number = 0 }),
		enqueue.by("Number", func(p *params) { p.Number = bounds.MaxNumber + 1 }),
		enqueue.by("Holds", func(p *params) {
			for range bounds.MaxBatch + 1 {
				p.Holds = append(p.Holds, store.HoldChange{Run: aRun, Name: "h"})
			}
		}),
		enqueue.by("Entries", func(p *params) {
			for range bounds.MaxBatch + 1 {
				p.Entries = append(p.Entries, store.Entry{Run: aRun, Item: task(scan, "t")})
			}
		}),
		enqueue.by("Audit.By", func(p *params) {
			p.Audit = &store.AuditLine{Job: aRun.Job, Run: aRun.Number, By: "\xff"}
		}),
		enqueue.by("Holds[1].Name", hold(store.HoldChange{Name: ""})),
		enqueue.by("Holds[1].Name", hold(store.HoldChange{Name: store.HoldFailures})),
		enqueue.by("Holds[1].Mark", hold(store.HoldChange{Name: "h", Mark: "a b"})),
		enqueue.by("Holds[1].From", hold(store.HoldChange{Name: "h", From: "a b"})),
		argument("Stream", func(s *scene) error { return s.store.OpenProducer(s.ctx, 0, "") }),
		argument("Stream", func(s *scene) error { return s.store.CloseProducer(s.ctx, 0, "") }),
		argument("Stream", func(s *scene) error { return s.store.CloseProducer(s.ctx, 0, "") }),
	}
}

func pauseOf(queue, set, kind, reason string) store.Pause {
	return store.Pause{Scope: store.PauseScope{Queue: queue, Set: set, Kind: kind}, Reason: reason}
}

// labelled has n labels.
func labelled(n int) map[string]string {
	labels := make(map[string]string)
	for i := range n {
		labels[fmt.Sprint("k", i)] = "v"
	}
	return labels
}
