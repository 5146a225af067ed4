package storetest

import (
	"maps"
	"slices"
	"strconv"
	"time"

	"github.com/rollcall-go/rollcall/store"
	"github.com/rollcall-go/rollcall/store/rules"
	"github.com/rollcall-go/rollcall/store/statuses"
	"github.com/rollcall-go/rollcall/store/verdicts"
)

// modelRun is a run of the model: a list of tasks. Counts are computed, never stored.
type modelRun struct {
	id        store.RunID
	status    statuses.Status
	tasks     []*modelTask
	holds     map[string]string // with their marks
	post      *store.Item       // the hook that is still to come, or gave up and holds the run
	onFailure store.OnFailure
	hookErr   string // while the hook holds the run: why
	paused    bool
	graceful  bool
	retried   int64
	duplicate int64
	counters  map[string]int64
	results   modelResults
	failures  []modelFailure // those that are kept
	buried    int64          // place of the newest failure
	cap       int            // how many are kept
	err       string         // of the newest failure that counts
	retryErr  string         // of the newest attempt that is tried again
	due       time.Time      // that began it; zero if none did
	idleAfter time.Duration  // without an enqueue; 0 for never
	stopIdle  bool           // it is stopped then, not sealed
	deadline  time.Duration  // on the model's clock; 0 for none
	overdue   bool           // it reached its deadline
	reason    string         // why it was stopped
	touched   time.Duration  // when it was enqueued into, or opened, last
	retention time.Duration
	ended     time.Duration // once its status is final: when
	over      bool          // ended is known
	change    modelChange   // the last one
	cancelled []rules.Cancellation
	document  modelDocument // its own configuration
	values    modelValues
	ledger    modelLedger // of the model
}

// modelChange is when a run changed last, as far as the model knows.
type modelChange struct {
	status statuses.Status
	paused bool
	step   int       // after which step the change was noticed
	at     time.Time // what the store says
}

// newModelRun makes a run that begins at the given time of the model's clock.
func newModelRun(id store.RunID, p store.StartParams, now time.Duration, ledger modelLedger) *modelRun {
	r := &modelRun{
		id: id, ledger: ledger,
		status: statuses.Running, holds: make(map[string]string), post: p.PostJob, onFailure: p.OnFailure, counters: make(map[string]int64),
		idleAfter: p.IdleAfter(), stopIdle: p.StopAfter > 0, touched: now, retention: p.Retention, values: make(modelValues), cap: p.FailureCap,
	}
	if p.Deadline > 0 {
		r.deadline = now + p.Deadline
	}
	if p.Configuration != nil {
		r.document.version, r.document.body = 1, p.Configuration
	}
	if p.Open {
		r.holds[store.HoldOpen] = ""
	}
	if p.Root != nil {
		r.add(*p.Root, now)
	}
	if p.PreJob != nil {
		r.status = statuses.Starting
		r.add(*p.PreJob, now)
	}
	return r
}

// add puts an item into the run at the given time of the model's clock.
func (r *modelRun) add(it store.Item, now time.Duration) {
	t := &modelTask{item: it, place: waiting}
	if it.Delay > 0 {
		t.place, t.due = awaiting, now+it.Delay
	}
	r.ledger.of(it.Route).Enqueued++
	r.tasks = append(r.tasks, t)
}

// claims reports whether an unsettled task of the run has claimed the ID.
func (r *modelRun) claims(id string) bool {
	return slices.ContainsFunc(r.tasks, func(t *modelTask) bool {
		return t.item.Task.Claimed && t.item.Task.ID == id && t.place != ended
	})
}

// offer adds an item unless its ID is claimed, and reports whether it was a duplicate.
func (r *modelRun) offer(it store.Item, now time.Duration) bool {
	if it.Task.Claimed && r.claims(it.Task.ID) {
		r.duplicate++
		return true
	}
	r.add(it, now)
	return false
}

func (r *modelRun) counts() (c store.Counts) {
	for _, t := range r.tasks {
		switch {
		case t.is(waiting):
			c.Pending++
		case t.is(awaiting):
			c.Delayed++
		case t.is(held):
			c.Running++
		case t.is(ended) && t.verdict == "succeeded":
			c.Succeeded++
		case t.is(ended) && t.verdict == "failed":
			c.Failed++
		case t.is(ended):
			c.Cancelled++
		}
	}
	c.Total = c.Remaining() + c.Done()
	return c
}

// deliverable reports whether the task may be delivered now.
func (r *modelRun) deliverable(t *modelTask) bool {
	if t.place != waiting || r.paused {
		return false
	}
	switch t.item.Route.Kind {
	case store.KindPreJob:
		return r.status == statuses.Starting
	case store.KindPostJob:
		return r.status == statuses.Finishing
	}
	return r.status == statuses.Running
}

// refusal returns the error of an enqueue into the run now.
func (r *modelRun) refusal() error {
	switch r.status {
	case statuses.Starting, statuses.Running:
		return nil
	case statuses.Stopping, statuses.Stopped:
		return store.ErrJobStopped
	}
	return store.ErrRunFinished
}

// stop ends waiting tasks. If the run is finishing, it drops the hook.
func (r *modelRun) stop(graceful bool, reason string) {
	switch r.status {
	case statuses.Stopping:
		r.graceful = r.graceful && graceful
		return
	case statuses.Finishing:
		r.finish()
		return
	}
	r.status, r.graceful, r.post, r.reason = statuses.Stopping, graceful, nil, reason
	clear(r.holds)
	r.cancel()
	r.settle()
}

// cancel ends everything that is not held.
func (r *modelRun) cancel() {
	for _, t := range r.tasks {
		if t.place == waiting || t.place == awaiting {
			t.end("cancelled")
		}
	}
}

// settle moves the run on if its last task has ended.
func (r *modelRun) settle() {
	c := r.counts()
	if r.status == statuses.Running && r.onFailure == store.OnFailureHold && c.Failed > 0 {
		return // a hold like any other
	}
	switch {
	case r.status == statuses.Stopping && c.Running == 0:
		r.status = statuses.Stopped
	case r.status == statuses.Running && c.Remaining() == 0 && len(r.holds) == 0 && r.post != nil:
		r.status = statuses.Finishing
		r.add(*r.post, 0)
		r.post = nil
	case r.status == statuses.Running && c.Remaining() == 0 && len(r.holds) == 0:
		r.finish()
	}
}

// finish records the final state.
func (r *modelRun) finish() {
	r.status = statuses.Succeeded
	if r.counts().Failed > 0 {
		r.status = statuses.Failed
	}
	for _, t := range r.tasks {
		if t.place != ended {
			t.end("cancelled")
		}
	}
}

// die changes a task whose session died.
func (r *modelRun) die(t *modelTask) {
	t.staged = nil
	if t.recovered {
		t.crashes++
	}
	t.recovered, t.place = true, waiting
	if t.asked || r.status == statuses.Stopping {
		t.end("cancelled")
		r.settle()
	}
}

// apply applies an outcome of a task; write applies the task's writes. applyHook handles the
// verdicts of hooks.
func (r *modelRun) apply(t *modelTask, o store.Outcome, now time.Duration, write func(store.Write) store.WriteResult) {
	staged := t.staged
	t.staged, t.recovered = nil, false
	verdict := r.verdict(t, o.Verdict)
	figures := r.ledger.of(t.item.Route)
	if o.Verdict == verdicts.Release {
		figures.Started-- // it was no attempt
	}
	switch verdict {
	case verdicts.Success:
		t.end("succeeded")
		figures.Succeeded++
		for name, n := range o.Counters {
			r.counters[name] += n
		}
		for _, w := range o.Writes {
			write(w)
		}
		r.results.keep(o, now)
		if r.status != statuses.Stopping {
			for _, it := range slices.Concat(o.Children, staged) {
				r.offer(it, now)
			}
		}
	case verdicts.Fail:
		r.bury(t, o.Error)
		figures.Failed++
	case verdicts.Cancel:
		t.end("cancelled")
	case verdicts.StopRun:
		t.end("cancelled")
		r.stop(false, o.Error)
	case verdicts.Retry, verdicts.Snooze:
		t.retry, t.snoozes = o.Task.Retry, o.Task.Snoozes
		if verdict == verdicts.Retry {
			r.retryErr = o.Error
		}
		if verdict == verdicts.Retry && t.item.Route.Counted() {
			r.retried++
			figures.Retried++
		}
		t.place, t.due = awaiting, now+o.Delay
		if o.Delay == 0 {
			t.place = waiting
		}
	case verdicts.Release:
		t.place = waiting
	default:
		t.end("succeeded")
		r.applyHook(verdict, o)
	}
	r.settle()
}

// verdict is what a verdict for a task counts as.
func (r *modelRun) verdict(t *modelTask, v verdicts.Verdict) verdicts.Verdict {
	stopped := r.status == statuses.Stopping && v != verdicts.Success && v != verdicts.Fail
	if stopped || t.asked && v.Cancels() {
		return verdicts.Cancel
	}
	return v
}

// applyHook applies the verdict of a hook to its run.
func (r *modelRun) applyHook(verdict verdicts.Verdict, o store.Outcome) {
	switch verdict {
	case verdicts.Begin:
		r.status = statuses.Running
	case verdicts.Skip, verdicts.Abort:
		r.cancel()
		clear(r.holds)
		r.status = statuses.Skipped
		if verdict == verdicts.Abort {
			r.status, r.err = statuses.Failed, o.Error
		}
	case verdicts.HookDone:
		if o.Error != "" && r.onFailure != store.OnFailureEnd {
			r.post, r.hookErr = hook(postJob), o.Error
			return
		}
		r.finish()
	}
}

// count applies a write to a counter.
func (r *modelRun) count(w store.Write) (result store.WriteResult) {
	if w.Op == store.WriteDelete {
		delete(r.counters, w.Name)
		return result
	}
	n, _ := strconv.ParseInt(string(w.Data[0].Bytes), 10, 64)
	if w.Op == store.WriteAdd {
		n += r.counters[w.Name]
		result.Sum = strconv.FormatInt(n, 10)
	}
	r.counters[w.Name] = n
	return result
}

// pass makes tasks due that are due at the given time.
func (r *modelRun) pass(now time.Duration) {
	for _, t := range r.tasks {
		if t.place == awaiting && t.due <= now {
			t.place = waiting
		}
	}
}

// model is everything that the store should know.
type model struct {
	now      time.Duration
	runs     map[store.RunID]*modelRun
	jobs     map[string]*modelJob
	ledger   modelLedger
	times    map[store.Route]store.Times // that came
	sem      modelSemaphore
	pauses   modelPauses
	audit    modelAudit
	sets     map[string]string // descriptions of handler sets
	document map[string]*modelDocument
	values   modelValues // of the namespace
}

func newModel() *model {
	m := &model{
		runs: make(map[store.RunID]*modelRun), jobs: make(map[string]*modelJob), ledger: make(modelLedger), times: make(map[store.Route]store.Times),
		sets: make(map[string]string),
		document: make(
			map[string]*modelDocument,
		), values: make(modelValues),
		pauses: modelPauses{scopes: make(map[store.PauseScope]*modelPause)},
		sem:    modelSemaphore{leases: make(map[string]*modelLease)},
	}
	m.pauses.audit = &m.audit
	for _, set := range modelSets {
		m.document[set] = &modelDocument{}
	}
	return m
}

// noteEnd records when a run ended, if it has.
func (m *model) noteEnd(r *modelRun) {
	if r.status.Final() && !r.over {
		r.over, r.ended = true, m.now
	}
}

// ordered returns the runs in the order in which they were started, so that a sequence is the same
// each time.
func (m *model) ordered() []*modelRun {
	return slices.SortedFunc(maps.Values(m.runs), func(a, b *modelRun) int {
		return int(a.id.Number - b.id.Number)
	})
}

// active returns the active run of the job, or nil.
func (m *model) active(job string) *modelRun {
	for _, r := range m.runs {
		if r.id.Job == job && !r.status.Final() {
			return r
		}
	}
	return nil
}
