package storetest

import (
	"fmt"
	"slices"
	"time"

	"pgregory.net/rapid"

	"github.com/rollcall-go/rollcall/store"
	"github.com/rollcall-go/rollcall/store/actions"
	"github.com/rollcall-go/rollcall/store/statuses"
	"github.com/rollcall-go/rollcall/store/verdicts"
)

// outcome draws what becomes of a delivery, and perhaps what its task counted, and brings, which
// counts only with its success.
func (m *machine) outcome(t *rapid.T, h *holding) store.Outcome {
	o := m.verdict(t, h)
	if o.Verdict != verdicts.Success {
		o.Staged = h.task.stagedCounts() // to be removed
	}
	if h.task.item.Route.Counted() && o.Verdict != verdicts.Success && rapid.IntRange(0, 3).Draw(t, "brings") == 0 {
		o.Children = []store.Item{m.child(t, h.run)}
		o.Writes = m.taskWrites(t, h.run.id)
	}
	if h.task.item.Route.Counted() && rapid.Bool().Draw(t, "counts") {
		o.Counters = rapid.MapOfN(rapid.SampledFrom(modelCounters), rapid.Int64Range(-1<<40, 1<<50), 1, 2).
			Draw(t, "counters")
	}
	if h.task.item.Route.Counted() && rapid.IntRange(0, 2).Draw(t, "has a result") == 0 {
		m.result(t, &o)
	}
	return o
}

// result draws the result of a task, which only a success keeps.
func (m *machine) result(t *rapid.T, o *store.Outcome) {
	m.results++
	o.Result = fmt.Appendf(nil, `{"result": %d}`, m.results)
	o.Keep.Number = rapid.SampledFrom([]int{0, 0, 1, 2, 3}).Draw(t, "number")
	o.Keep.Age = rapid.SampledFrom([]time.Duration{0, m.soonOr(t, "age", never), never}).Draw(t, "age of a result")
}

// taskWrites draws what a task commits with its success.
func (m *machine) taskWrites(t *rapid.T, run store.RunID) (writes []store.Write) {
	for range rapid.SampledFrom([]int{0, 0, 1, 2}).Draw(t, "task writes") {
		scope := store.RunScope(run)
		if rapid.Bool().Draw(t, "of the job") {
			scope = store.JobScope(run.Job)
		}
		w := appending(scope, m.names[logName], fmt.Sprint(m.tasks))
		if rapid.Bool().Draw(t, "seen") {
			w = putting(
				scope, m.names[seenName], rapid.SampledFrom([]string{"a", "b", ""}).Draw(t, "field"),
				rapid.SampledFrom([]string{"1", "2", ""}).Draw(t, "value"),
			)
		}
		writes = append(writes, w)
	}
	return writes
}

func (m *machine) verdict(t *rapid.T, h *holding) store.Outcome {
	switch h.task.item.Route.Kind {
	case store.KindPreJob:
		return m.hookOutcome(
			t, h, verdicts.Begin, verdicts.Begin, verdicts.Begin, verdicts.Skip, verdicts.Abort,
			verdicts.Retry,
		)
	case store.KindPostJob:
		o := m.hookOutcome(t, h, verdicts.HookDone, verdicts.Retry)
		if o.Verdict == verdicts.HookDone && rapid.Bool().Draw(t, "gives up") {
			o.Error = "gave up"
		}
		return o
	}
	choice := []verdicts.Verdict{
		verdicts.Success, verdicts.Success, verdicts.Success, verdicts.Success, verdicts.Retry, verdicts.Retry,
		verdicts.Snooze, verdicts.Fail, verdicts.Release, verdicts.StopRun,
	}
	verdict := rapid.SampledFrom(choice).Draw(t, "verdict")
	if verdict == verdicts.Release && h.task.recovered {
		verdict = verdicts.Fail // whether it stays a recovered task is the store's choice
	}
	if verdict == verdicts.StopRun && rapid.IntRange(0, 3).Draw(t, "stop") != 0 {
		verdict = verdicts.Success // runs may grow older
	}
	switch verdict {
	case verdicts.Success:
		o := success(h.Delivery)
		for range rapid.IntRange(0, 3).Draw(t, "children") {
			o.Children = append(o.Children, m.child(t, h.run))
		}
		if o.Staged = h.task.stagedCounts(); len(o.Staged) > 0 && rapid.IntRange(0, 4).Draw(t, "lost") == 0 {
			o.Staged[0].Count++ // as if the store had lost one
		}
		o.Writes = m.taskWrites(t, h.run.id)
		return o
	case verdicts.Retry:
		return retried(h.Delivery, m.delayOrNone(t))
	case verdicts.Snooze:
		return snoozed(h.Delivery, m.delayOrNone(t))
	case verdicts.Fail:
		return failed(h.Delivery)
	}
	return plain(h.Delivery, verdict)
}

// hookOutcome draws what becomes of a hook.
func (m *machine) hookOutcome(t *rapid.T, h *holding, choice ...verdicts.Verdict) store.Outcome {
	verdict := rapid.SampledFrom(choice).Draw(t, "verdict")
	if verdict == verdicts.Retry {
		return retried(h.Delivery, m.delayOrNone(t))
	}
	return plain(h.Delivery, verdict)
}

// child draws a child. If it claims an ID, then one that is free, or one whose task
// waits: whether it meets a task that settles in the same call would depend on their order.
func (m *machine) child(t *rapid.T, r *modelRun) store.Item {
	it := m.item(t, true, true)
	if !it.Task.Claimed {
		return it
	}
	for _, other := range r.tasks {
		if other.item.Task.Claimed && other.item.Task.ID == it.Task.ID && other.place == waiting {
			return it
		}
	}
	m.tasks++
	it.Task.ID = fmt.Sprintf("child-%d", m.tasks)
	return it
}

func (m *machine) delayOrNone(t *rapid.T) time.Duration {
	if rapid.Bool().Draw(t, "at once") {
		return 0
	}
	return m.delay(t)
}

// stagedCounts is what the task's delivery has staged, by route.
func (t *modelTask) stagedCounts() (all []store.Staged) {
	for _, it := range t.staged {
		at := slices.IndexFunc(all, func(s store.Staged) bool { return s.Route == it.Route })
		if at < 0 {
			at = len(all)
			all = append(all, staged(it.Route, 0))
		}
		all[at].Count++
	}
	return all
}

// modelFailure is a failure that a run of the model keeps.
type modelFailure struct {
	place int64
	task  *modelTask
	err   string
}

// bury keeps the failure of a task: a run keeps the first half of its cap, and the newest.
func (r *modelRun) bury(t *modelTask, err string) {
	t.end("failed")
	r.err = err
	r.buried++
	r.failures = append(r.failures, modelFailure{r.buried, t, err})
	if len(r.failures) > r.cap {
		r.failures = slices.Delete(r.failures, r.cap/2, r.cap/2+1)
	}
}

// redo retries or discards failures.
func (r *modelRun) redo(p store.RedoParams) (reply store.RedoReply) {
	looked := 0
	r.failures = slices.DeleteFunc(r.failures, func(f modelFailure) bool {
		if f.place <= p.After || p.Before > 0 && f.place >= p.Before || looked == p.Limit {
			return false
		}
		looked++
		reply.Next = f.place
		it := f.task.item
		switch {
		case len(p.Kinds) > 0 && it.Route.Kind != p.Kinds[0]:
			return false
		case p.Action == actions.RedoDiscard:
			f.task.end("cancelled")
		case it.Task.Claimed && r.claims(it.Task.ID):
			reply.InUse++
			return false
		default:
			f.task.place, f.task.retry, f.task.snoozes, f.task.crashes = waiting, 0, 0, 0
			f.task.item.Task.Expires = time.Time{} // somebody wants it now
			r.retried++
		}
		reply.Moved++
		return true
	})
	failed := r.counts().Failed
	if failed == 0 {
		r.err = ""
	}
	reply.Gone = failed - int64(len(r.failures))
	r.settle()
	return reply
}

// held reports whether only what failed keeps the run from going on.
func (r *modelRun) held() bool {
	idle := r.status == statuses.Running && r.counts().Remaining() == 0 && len(r.holds) == 0 // otherwise it would have ended
	return idle || r.status == statuses.Finishing && r.hookErr != ""
}

// letGo accepts what holds the run, or repeats its hook.
func (r *modelRun) letGo(action actions.Redo) (moved int64, err error) {
	accept := action == actions.RedoAccept
	switch {
	case r.hookErr != "" && r.status == statuses.Finishing:
		if r.hookErr = ""; accept {
			r.finish()
			return 1, nil
		}
		r.add(*r.post, 0)
		r.post = nil
	case accept && r.onFailure == store.OnFailureAccepted:
		return 0, nil
	case r.refusal() == nil && accept && r.onFailure == store.OnFailureHold:
		r.onFailure = store.OnFailureAccepted
		r.settle()
	case r.refusal() == nil || r.status == statuses.Finishing:
		return 0, store.ErrNotHeld
	default:
		return 0, r.refusal()
	}
	return 1, nil
}
