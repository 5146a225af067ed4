package storetest

import (
	"fmt"
	"time"

	"github.com/rollcall-go/rollcall/store"
	"github.com/rollcall-go/rollcall/store/statuses"
)

// The routes of the tests.
var (
	scan    = store.Route{Queue: "path", Set: "ingest", Kind: "scan"}
	file    = store.Route{Queue: "file", Set: "ingest", Kind: "file"}
	preJob  = store.Route{Queue: "path", Set: "ingest", Kind: store.KindPreJob}
	postJob = store.Route{Queue: "path", Set: "ingest", Kind: store.KindPostJob}
)

// everything asks for tasks of all routes.
func everything() []store.FetchQueue {
	return []store.FetchQueue{
		{Queue: "path", Routes: []store.Route{preJob, postJob, scan}},
		{Queue: "file", Routes: []store.Route{file}},
	}
}

// only asks for tasks of one route.
func only(r store.Route) []store.FetchQueue {
	return []store.FetchQueue{{Queue: r.Queue, Routes: []store.Route{r}}}
}

// task returns an item. Its ID is also its payload.
func task(r store.Route, id string) store.Item {
	return store.Item{Route: r, Task: store.Task{ID: id, Payload: []byte(id)}}
}

// tasks returns n items with the names prefix/0, prefix/1 and so on.
func tasks(r store.Route, prefix string, n int) []store.Item {
	items := make([]store.Item, n)
	for i := range items {
		items[i] = task(r, fmt.Sprintf("%s/%d", prefix, i))
	}
	return items
}

// delayed returns an item with a delay.
func delayed(r store.Route, id string, d time.Duration) store.Item {
	it := task(r, id)
	it.Delay = d
	return it
}

// claimed returns an item with a claimed ID, which is kept for a while after it settled.
func claimed(r store.Route, id string, keep time.Duration) store.Item {
	it := task(r, id)
	it.Task.Claimed, it.Task.Keep = true, keep
	return it
}

// hook returns the item of a hook.
func hook(r store.Route) *store.Item {
	it := task(r, r.Kind)
	return &it
}

// run is a started run.
type run struct {
	s         *scene
	id        store.RunID
	partition int
}

// params fills in fields that p leaves out: a token, the set, and limits that no test reaches.
func (s *scene) params(p store.StartParams) store.StartParams {
	if p.Token == "" {
		p.Token = s.name("token")
	}
	if p.Set == "" {
		p.Set = "ingest"
	}
	if p.Weight == 0 {
		p.Weight = 1
	}
	if p.Retention == 0 {
		p.Retention = never
	}
	if p.FailureCap == 0 {
		p.FailureCap = 100
	}
	if p.Root == nil && !p.Open {
		root := task(scan, "root")
		p.Root = &root
	}
	return p
}

// start begins a run. Fields that p leaves out are filled in.
func (s *scene) start(p store.StartParams) *run {
	s.tb.Helper()
	reply, err := s.store.StartRun(s.ctx, s.params(p))
	s.NoError(err)
	s.False(reply.Existing, "a fresh token starts a run")
	s.Equal(p.Job, reply.Run.Job)
	return &run{s, reply.Run, s.partition(p.Job)}
}

// open begins an open run without hooks.
func (s *scene) open(job string) *run {
	s.tb.Helper()
	return s.start(store.StartParams{Job: job, Open: true})
}

func (s *scene) partition(job string) int { return store.PartitionOf(job, s.store.Partitions()) }

// record reads the run; every read must balance.
func (r *run) record() store.RunRecord {
	r.s.tb.Helper()
	rec, err := r.s.store.Run(r.s.ctx, r.id)
	r.s.NoError(err)
	r.s.True(rec.Counts.Balanced(), "counts do not add up: %+v", rec.Counts)
	return rec
}

// counts requires these exact counts of the run. Total is computed here.
func (r *run) counts(want store.Counts, step string) {
	r.s.tb.Helper()
	want.Total = want.Remaining() + want.Done()
	r.s.Equal(want, r.record().Counts, "after: %s", step)
}

// status requires the run to be in one of the states.
func (r *run) status(oneOf ...statuses.Status) {
	r.s.tb.Helper()
	r.s.Contains(oneOf, r.record().Status)
}

// stop stops the run.
func (r *run) stop(graceful bool) {
	r.s.tb.Helper()
	r.s.NoError(r.s.store.StopRun(r.s.ctx, store.StopParams{Run: r.id, Graceful: graceful, Reason: "enough"}))
}

// pause stops or allows deliveries.
func (r *run) pause(paused bool) {
	r.s.tb.Helper()
	r.s.NoError(r.s.store.SetRunPaused(r.s.ctx, r.id, paused))
}

// inspect recounts the sets of the run.
func (r *run) inspect() store.Inspection {
	r.s.tb.Helper()
	in, err := r.s.store.Inspect(r.s.ctx, r.id)
	r.s.NoError(err)
	return in
}
