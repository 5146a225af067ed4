package dashboard

import (
	"context"
	"fmt"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/rollcall-go/rollcall/syncjob"
	"github.com/rollcall-go/rollcall/syncjob/states"
)

// runBody is one run.
type runBody struct {
	Run    states.Run
	Why    []string // sentences of Explain, while the run is active
	Story  []states.TimelineEntry
	Done   *chart // what tasks of its set did lately; nil if the run has ended
	err    error
	Holds  []syncjob.Hold
	Args   string
	Result string
	Heads  string
}

func (b *runBody) missing() error { return b.err }

// Open reports whether the run was not sealed.
func (b *runBody) Open() bool {
	return slices.ContainsFunc(b.Holds, func(h syncjob.Hold) bool { return h.Name == "open" })
}

func (b *runBody) title() string { return fmt.Sprintf("Run %d of %s", b.Run.Number, b.Run.Job) }

func (d *source) run(ctx context.Context, q url.Values) (any, error) {
	r, err := d.runOf(q)
	if err != nil {
		return nil, err
	}
	s, err := r.State(ctx)
	if err != nil {
		return nil, err
	}
	b := &runBody{Run: s}
	p := Payload{Job: s.Job, Set: s.Set}
	b.Args = d.shown(p, "arguments", s.Args)
	b.Result = d.shown(p, "result", s.Result)
	b.Heads = d.headers(p, s.Headers)
	if b.Story, err = r.Timeline(ctx); err != nil {
		return nil, err
	}
	if s.Status.Final() {
		return b, nil
	}
	done, err := d.done.get(ctx)
	if err = keepPartly(&b.err, err); err != nil {
		return nil, err
	}
	b.Done = newChart("Set "+syncjob.Printable(s.Set), spans[0], done,
		func(a *states.ActivitySeries) bool { return a.Set == s.Set })
	why, err := r.Explain(ctx)
	if err != nil {
		return nil, err
	}
	b.Why, b.Holds = strings.Split(strings.TrimSpace(why.String()), "\n"), why.Holds
	return b, nil
}

// tasksBody is a page of the tasks of a run.
type tasksBody struct {
	Job    string
	Number int64
	State  states.TaskStatus
	States []states.TaskStatus
	Kind   string
	Queue  string
	Tasks  []states.Task
	Next   string // cursor, if more follow
}

func (b *tasksBody) title() string { return fmt.Sprintf("Tasks of run %d of %s", b.Number, b.Job) }

func (d *source) tasks(ctx context.Context, q url.Values) (any, error) {
	r, err := d.runOf(q)
	if err != nil {
		return nil, err
	}
	b := &tasksBody{
		Job: r.Job(), Number: r.Number(), State: states.TaskStatus(q.Get("state")),
		Kind: q.Get("kind"), Queue: q.Get("queue"),
		States: []states.TaskStatus{
			"", states.TaskRunning, states.TaskWaiting, states.TaskHeld,
			states.TaskDelayed, states.TaskRetrying, states.TaskExpired, states.TaskFailed,
		},
	}
	options := &syncjob.TasksOptions{
		State: b.State,
		Kind:  b.Kind,
		Queue: b.Queue,
		After: q.Get("after"),
		Limit: rows + 1,
	}
	place := func(t states.Task) string { return t.Cursor }
	if b.Tasks, b.Next, _, err = take(r.Tasks(ctx, options), place); err != nil {
		return nil, err
	}
	return b, nil
}

// failuresBody is a page of the failures of a run.
type failuresBody struct {
	Job      string
	Number   int64
	Kind     string
	Total    int64
	Failures []failure
	Next     string // place of the last failure, if more follow
}

type failure struct {
	states.Failure
	Args  string
	Heads string
}

func (b *failuresBody) title() string {
	return fmt.Sprintf("Failures of run %d of %s", b.Number, b.Job)
}

func (d *source) failures(ctx context.Context, q url.Values) (any, error) {
	r, err := d.runOf(q)
	if err != nil {
		return nil, err
	}
	s, err := r.State(ctx)
	if err != nil {
		return nil, err
	}
	b := &failuresBody{Job: r.Job(), Number: r.Number(), Kind: q.Get("kind"), Total: s.Counts.Failed}
	options := &syncjob.FailuresOptions{After: number(q.Get("after")), Limit: rows + 1}
	if b.Kind != "" {
		options.Kinds = []string{b.Kind}
	}
	place := func(f states.Failure) string { return strconv.FormatInt(f.Place, 10) }
	list, next, _, err := take(r.Failures(ctx, options), place)
	if err != nil {
		return nil, err
	}
	b.Next = next
	for _, f := range list {
		p := Payload{Job: f.Job, Set: f.Set, Kind: f.Kind}
		b.Failures = append(b.Failures, failure{
			Failure: f, Args: d.shown(p, "arguments", f.Payload), Heads: d.headers(p, f.Headers),
		})
	}
	return b, nil
}
