package syncjob

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/rollcall-go/rollcall/store"
	"github.com/rollcall-go/rollcall/store/statuses"
	"github.com/rollcall-go/rollcall/syncjob/states"
)

// Explanation says why a run is not done.
type Explanation struct {
	// Unreachable is set if the partition of the store that keeps the job does not answer: it says
	// why. The run waits for that. Then only job and number of Run are set.
	Unreachable string `json:"unreachable,omitempty"`

	Run     states.Run      `json:"run"`
	Waiting []WaitingTasks  `json:"waiting"` // by route
	Pauses  []states.Pause  `json:"pauses"`  // that cover waiting tasks
	Limits  []states.Limit  `json:"limits"`  // on what waits, by the registry or as workers published them
	Running []ExplainedTask `json:"running"` // as of the workers' last heartbeats
	Held    []HeldTasks     `json:"held"`    // by worker and route: running, and about to run
	Holds   []Hold          `json:"holds"`   // keep it from finishing when no task is left
	// ReadOnly is true in read-only mode: only tasks and hooks of sets with RunsInReadOnly start.
	ReadOnly bool `json:"read_only"`
	// Problem is why the next run of a periodic job does not begin; see [states.Job].
	Problem string `json:"problem,omitempty"`
	// Stable is true if the run did not change while its tasks were counted. Disagreements are
	// known only then.
	Stable bool `json:"stable"`
	// Disagreements between the counters of the run and its counted tasks. There should be none.
	Disagreements []string `json:"disagreements"`
	// Damage is what [Run.Repair] would fix, as far as it can be found without reading every task.
	Damage []states.Damage `json:"damage"`

	at time.Time // when it was made
}

// explainTime is how long Explain asks before it says that nobody answers.
const explainTime = 5 * time.Second

var errNoAnswer = store.Transient(errors.New("no answer in time"))

// WaitingTasks counts the tasks of one route that no worker has fetched.
type WaitingTasks struct {
	Queue     string    `json:"queue"`
	Set       string    `json:"set"`
	Kind      string    `json:"kind"`
	Waiting   int64     `json:"waiting"`   // ready to run
	Recovered int64     `json:"recovered"` // ready to run, one at a time per worker: the worker that had them died
	Staged    int64     `json:"staged"`    // children of a settled task that are not in the queue yet
	Delayed   int64     `json:"delayed"`
	NextDue   time.Time `json:"next_due,omitzero"` // of the first delayed one
	Oldest    time.Time `json:"oldest,omitzero"`   // since when the first ready one waits
	Unserved  bool      `json:"unserved"`          // no live worker that fetches has the queue and the handler
	Workers   int       `json:"workers"`           // live workers that have both and fetch
	Quiet     int       `json:"quiet"`             // live workers that have both and do not: see [WorkerRef.Quiet]
	// HeldBack names everything that keeps these tasks from starting, each in words: a pause of the
	// run; a pause of the queue, set or kind; read-only mode; a pre-job hook that has not passed; that
	// no live worker serves them, or that all that could are quiet; and the limits on them, whether
	// these are used up or not.
	HeldBack []string `json:"held_back"`

	limits int // how many of these are limits
}

// ExplainedTask is a running task with the worker that runs it.
type ExplainedTask struct {
	states.RunningTask
	Worker string `json:"worker"`
}

// HeldTasks counts the tasks of the run on one route that one worker holds.
type HeldTasks struct {
	Worker string `json:"worker"`
	Queue  string `json:"queue"`
	Kind   string `json:"kind"`
	Held   int64  `json:"held"`
	// Lost is true if the worker is not alive: the tasks will be given to another.
	Lost bool `json:"lost"`
	// Unserved is true if the worker is lost and no live worker has the queue and the handler.
	Unserved bool `json:"unserved"`
}

// Hold is a named reason why a run may not finish.
type Hold struct {
	Name string `json:"name"` // "open" until the run is sealed; "failures" as [Job.OnFailure] says
	// Since is when it was opened; of "failures", when the counts of the run changed last.
	Since time.Time `json:"since"`
}

// Explain says what the run waits for: its waiting tasks by route, and everything that holds them
// back (pauses, read-only mode, a hook, limits, no worker that serves them); the running tasks, on
// which worker and since when; the delayed tasks and when they are due; the holds. It also counts
// the run's tasks and compares them with its counters, and looks for other damage. It is for people
// and for alarms, not for tight loops.
//
// Errors: [ErrRunNotFound], [ErrStateLost], and store.ErrCorrupt if the run cannot be read; then
// the explanation has the damage. If the store does not answer within seconds, there is no error:
// the explanation says so.
func (r *Run) Explain(ctx context.Context) (Explanation, error) {
	var in store.Inspection
	var sessions []store.SessionRecord
	var damage store.RepairReport
	var pauses store.PauseSet
	partition := store.PartitionOf(r.id.Job, r.m.store.Partitions())
	bounded, cancel := context.WithTimeoutCause(ctx, explainTime, errNoAnswer)
	defer cancel()
	err := r.do("explain", func() (err error) {
		if damage, err = r.m.store.Repair(bounded, store.RepairParams{Job: r.id.Job, Run: r.id.Number, DryRun: true, Quick: true}); err != nil {
			return err
		}
		if in, err = r.m.store.Inspect(bounded, r.id); err == nil {
			sessions, err = r.m.store.LiveSessions(bounded, partition)
		}
		if err == nil {
			pauses, err = r.m.store.Pauses(bounded, partition)
		}
		return err
	})
	switch {
	case errors.Is(err, ErrUnavailable) && ctx.Err() == nil:
		why := fmt.Sprintf("partition %d does not answer: %v", partition, err)
		return Explanation{Unreachable: why, Run: states.Run{Job: r.id.Job, Number: r.id.Number}, at: time.Now()}, nil
	case err != nil:
		return Explanation{Damage: damage.Damage}, r.lost(err)
	}
	x := explain(in, sessions, time.Now())
	x.Limits = r.m.limitsOn(ctx, x.Waiting)
	if job, err := r.m.store.Job(bounded, r.id.Job); err == nil { // what is wrong with it is damage
		x.Problem = job.Problem
	}
	x.Damage = damage.Damage
	x.holdBack(pauses, r.m.runsInReadOnly)
	return x, nil
}

func explain(in store.Inspection, sessions []store.SessionRecord, now time.Time) Explanation {
	x := Explanation{Run: runState(in.Run, now), Stable: in.Stable, at: now}
	if in.Run.Status.Final() {
		return x // what is still to be cleaned up waits for nothing
	}
	served := make(map[store.Route]int)
	addServed(served, sessions)
	quiet := make(map[store.Route]int)
	addQuiet(quiet, sessions)
	workers := make(map[string]store.SessionRecord, len(sessions))
	for _, s := range sessions {
		workers[s.ID] = s
		for _, t := range s.Running {
			if t.Run == in.Run.ID {
				x.Running = append(x.Running, ExplainedTask{RunningTask: t, Worker: s.Worker.Name})
			}
		}
	}
	slices.SortFunc(x.Running, func(a, b ExplainedTask) int { return a.Since.Compare(b.Since) })
	for _, l := range in.Lanes {
		if l.Waiting+l.Recovered+l.Staged+l.Delayed == 0 {
			continue
		}
		x.Waiting = append(x.Waiting, WaitingTasks{
			Queue:     l.Route.Queue,
			Set:       l.Route.Set,
			Kind:      l.Route.Kind,
			Waiting:   l.Waiting,
			Recovered: l.Recovered,
			Staged:    l.Staged,
			Delayed:   l.Delayed,
			NextDue:   l.NextDue,
			Oldest:    l.Oldest,
			Unserved:  served[l.Route] == 0,
			Workers:   served[l.Route],
			Quiet:     quiet[l.Route],
		})
	}
	for _, h := range in.Held {
		name := h.Session
		s, live := workers[h.Session]
		if live {
			name = s.Worker.Name
		}
		lost := !live || s.Overdue
		x.Held = append(x.Held, HeldTasks{
			Worker: name, Queue: h.Route.Queue, Kind: h.Route.Kind, Held: h.Held, Lost: lost, Unserved: lost && served[h.Route] == 0,
		})
	}
	for _, h := range in.Holds {
		x.Holds = append(x.Holds, Hold{Name: h.Name, Since: h.Since})
	}
	if in.Run.Failing() {
		x.Holds = append(x.Holds, Hold{Name: store.HoldFailures, Since: in.Run.Moved})
	}
	if in.Stable {
		x.Disagreements = disagreements(in)
	}
	return x
}

// disagreements compares a run's counters with its sets.
func disagreements(in store.Inspection) []string {
	var list []string
	differ := func(what string, counter, set int64) {
		if counter != set {
			list = append(list, fmt.Sprintf("%s: the counter says %d, the sets hold %d", what, counter, set))
		}
	}
	c := in.Run.Counts
	if !c.Balanced() {
		list = append(list, fmt.Sprintf("total is %d, but its parts add up to %d", c.Total, c.Remaining()+c.Done()))
	}
	differ("holds", in.Run.Holds, int64(len(in.Holds)))
	var waiting, delayed, held int64
	for _, l := range in.Lanes {
		if l.Route.Counted() {
			waiting += l.Waiting + l.Recovered + l.Staged
			delayed += l.Delayed
		}
	}
	for _, h := range in.Held {
		if h.Route.Counted() {
			held += h.Held
		}
	}
	differ("running", c.Running, held)
	// Before its pre-job hook has passed the root task is in no lane, and what a
	// stopped run left in its lanes is no longer part of it.
	if in.Run.Status == statuses.Running {
		differ("pending", c.Pending, waiting)
		differ("delayed", c.Delayed, delayed)
	}
	return list
}
