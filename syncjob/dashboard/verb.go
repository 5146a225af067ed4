package dashboard

import (
	"context"
	"net/url"
	"strconv"
	"time"

	"github.com/rollcall-go/rollcall/syncjob"
	"github.com/rollcall-go/rollcall/syncjob/states"
)

// verb is an action: what its page says, and what its button does.
type verb struct {
	name    string
	title   string // on the page and the button
	does    string // what it does, in sentences
	done    string // shown afterwards
	danger  bool   // it cannot be taken back
	fields  []field
	touches func(context.Context, *source, Action) (string, error) // what it is about now, and how much
	do      func(context.Context, *source, Action, url.Values) error

	many bulkFunc // of an action on all jobs of a filter, instead of touches and do
}

// bulkFunc is a call of the manager on many jobs.
type bulkFunc = func(*syncjob.Manager, context.Context, *syncjob.BulkOptions) (states.BulkResult, error)

// field is an input of an action.
type field struct {
	Name, Label string
	Long        bool // of several lines
	Hidden      bool
	Value       string
	value       func(context.Context, *source, Action) (string, error) // what it has at first
}

// target reads what a request is about.
func target(q url.Values) Action {
	if name := q.Get("action"); isOnJobs(name) {
		jobs := filterOf(q)
		return Action{Name: name, Jobs: &jobs}
	}
	return Action{
		Name: q.Get("action"), Job: q.Get("job"), Run: number(q.Get("run")), Task: q.Get("task"),
		Set: q.Get("set"), Hold: q.Get("hold"),
		Prefix: q.Get("prefix"), Worker: q.Get("worker"),
		Scope: syncjob.Scope{Queue: q.Get("scope-queue"), Set: q.Get("scope-set"), Kind: q.Get("scope-kind")},
	}
}

// looks is the action of a request that only reads.
func looks(q url.Values) Action {
	a := target(q)
	a.Name = View
	return a
}

func onRun(
	do func(context.Context, *syncjob.Run, string) error,
) func(context.Context, *source, Action, url.Values) error {
	return func(ctx context.Context, d *source, a Action, form url.Values) error {
		r, err := d.runOf(url.Values{"job": {a.Job}, "run": {strconv.FormatInt(a.Run, 10)}})
		if err != nil {
			return err
		}
		return do(ctx, r, form.Get("reason"))
	}
}

func onWorker(
	do func(*syncjob.WorkerRef, context.Context) error,
) func(context.Context, *source, Action, url.Values) error {
	return func(ctx context.Context, d *source, a Action, _ url.Values) error {
		return do(d.m.Worker(a.Worker), ctx)
	}
}

// touchWorker says what the workers that are meant do now.
func touchWorker(ctx context.Context, d *source, a Action) (string, error) {
	states, err := d.m.Worker(a.Worker).States(ctx)
	if err != nil {
		return "", err
	}
	busy := 0
	for _, w := range states {
		busy += w.Busy
	}
	return plural(len(states), "worker") + " of this name, with " + plural(busy, "busy slot") + ".", nil
}

func onTask(
	do func(context.Context, *syncjob.TaskRef, url.Values) error,
) func(context.Context, *source, Action, url.Values) error {
	return func(ctx context.Context, d *source, a Action, form url.Values) error {
		r, err := d.runOf(url.Values{"job": {a.Job}, "run": {strconv.FormatInt(a.Run, 10)}})
		if err != nil {
			return err
		}
		return do(ctx, r.Task(a.Task), form)
	}
}

// taskOf reads the task of an action.
func taskOf(ctx context.Context, d *source, a Action) (states.Task, error) {
	r, err := d.runOf(url.Values{"job": {a.Job}, "run": {strconv.FormatInt(a.Run, 10)}})
	if err != nil {
		return states.Task{}, err
	}
	return r.Task(a.Task).State(ctx)
}

// touchTask says where the task is now.
func touchTask(ctx context.Context, d *source, a Action) (string, error) {
	t, err := taskOf(ctx, d, a)
	if err != nil {
		return "", err
	}
	return "The task is " + string(t.State) + ".", nil
}

// nextAttempt is when the task is due now.
func nextAttempt(ctx context.Context, d *source, a Action) (string, error) {
	t, err := taskOf(ctx, d, a)
	if err != nil || t.NextAttempt.IsZero() {
		return "", err
	}
	return t.NextAttempt.UTC().Format(time.RFC3339), nil
}

// kindField selects failed tasks.
var kindField = []field{{Name: "kind", Label: "Kind"}}

// redo moves the failed tasks of a run, in slices.
func redo(
	move func(*syncjob.Run, context.Context, *syncjob.RetryOptions) (syncjob.RetryResult, error),
) func(context.Context, *source, Action, url.Values) error {
	return func(ctx context.Context, d *source, a Action, form url.Values) error {
		r, err := d.runOf(url.Values{"job": {a.Job}, "run": {strconv.FormatInt(a.Run, 10)}})
		if err != nil {
			return err
		}
		options := new(syncjob.RetryOptions)
		if kind := form.Get("kind"); kind != "" {
			options.Kinds = []string{kind}
		}
		_, err = move(r, ctx, options)
		return err
	}
}

// touchRun says what the tasks of a run are now.
func touchRun(ctx context.Context, d *source, a Action) (string, error) {
	r, err := d.runOf(url.Values{"job": {a.Job}, "run": {strconv.FormatInt(a.Run, 10)}})
	if err != nil {
		return "", err
	}
	s, err := r.State(ctx)
	if err != nil {
		return "", err
	}
	return counted(s), nil
}

func counted(s states.Run) string {
	return "Run " + strconv.FormatInt(
		s.Number,
		10,
	) + " of " + syncjob.Printable(
		s.Job,
	) + " is " + string(
		s.Status,
	) + ": " +
		plural(
			s.Counts.Total,
			"task",
		) + ", " + grouped(
		s.Counts.Running,
	) + " running, " +
		grouped(
			s.Counts.Pending+s.Counts.Delayed,
		) + " waiting, " + grouped(
		s.Counts.Failed,
	) + " failed."
}

// touchJob says what the job and its newest run are now.
func touchJob(ctx context.Context, d *source, a Action) (string, error) {
	s, err := d.m.State(ctx, a.Job)
	if err != nil {
		return "", err
	}
	if s.Run == nil {
		return "It has no run.", nil
	}
	return counted(*s.Run), nil
}

// touchScope says how many tasks a scope has now.
func touchScope(ctx context.Context, d *source, a Action) (string, error) {
	queues, err := d.queues.get(ctx)
	if err != nil {
		return "", err
	}
	var waiting, running int64
	for _, q := range queues {
		for _, r := range q.Routes {
			s := a.Scope
			if (s.Queue == "" || s.Queue == q.Name) && (s.Set == "" || s.Set == r.Set) &&
				(s.Kind == "" || s.Kind == r.Kind) {
				waiting, running = waiting+r.Waiting, running+r.Running
			}
		}
	}
	return "Now " + grouped(waiting) + " of its tasks wait and " + grouped(running) + " run.", nil
}

// scope completes the scope of a form.
var scopeFields = []field{
	{
		Name:  "scope-queue",
		Label: "Queue",
		value: func(_ context.Context, _ *source, a Action) (string, error) { return a.Scope.Queue, nil },
	},
	{
		Name:  "scope-set",
		Label: "Handler set",
		value: func(_ context.Context, _ *source, a Action) (string, error) { return a.Scope.Set, nil },
	},
	{
		Name:  "scope-kind",
		Label: "Kind",
		value: func(_ context.Context, _ *source, a Action) (string, error) { return a.Scope.Kind, nil },
	},
}

// touchSemaphores says who would lose what.
func touchSemaphores(ctx context.Context, d *source, a Action) (string, error) {
	would, err := d.m.ReleaseSemaphores(ctx, a.Prefix, "", &syncjob.ReleaseOptions{DryRun: true})
	if err != nil {
		return "", err
	}
	leases := 0
	for _, s := range would {
		leases += len(s.Holders)
	}
	return plural(leases, "lease") + " of " + plural(len(would), "semaphore") + " would end.", nil
}
