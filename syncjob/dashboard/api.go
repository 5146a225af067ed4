package dashboard

import (
	"context"
	"net/http"
	"net/url"

	"github.com/rollcall-go/rollcall/syncjob"
	"github.com/rollcall-go/rollcall/syncjob/states"
)

// call is an address of the JSON API.
type call struct {
	path    string
	summary string
	params  []string // names of its parameters; those with "!" are required
	answer  any      // a value of the type that it answers with
	read    func(context.Context, *source, url.Values) (any, error)
}

var calls = []call{
	{
		"jobs",
		"Jobs with their newest runs, by name.",
		[]string{"group", "prefix", "set", "label", "status", "after"},
		jobsPage{},
		func(ctx context.Context, d *source, q url.Values) (any, error) {
			b, err := d.jobs(ctx, q)
			if err != nil {
				return nil, err
			}
			page := b.(*jobsBody)
			for i := range page.Jobs {
				d.hideJob(&page.Jobs[i])
			}
			return jobsPage{page.Jobs, page.Next}, nil
		},
	},
	{
		"job",
		"One job with its newest run.",
		[]string{"job!"},
		states.Job{},
		func(ctx context.Context, d *source, q url.Values) (any, error) {
			s, err := d.m.State(ctx, q.Get("job"))
			d.hideJob(&s)
			return s, err
		},
	},
	{
		"runs", "Runs of all jobs, the last changed first, without what is large.",
		[]string{"status", "prefix", "set", "label", "after"}, runsPage{},
		func(ctx context.Context, d *source, q url.Values) (any, error) {
			b, err := d.allRuns(ctx, q)
			if err != nil {
				return nil, err
			}
			return runsPage{b.(*runsBody).Runs, b.(*runsBody).Next}, nil
		},
	},
	{
		"run",
		"One run.",
		[]string{"job!", "run!"},
		states.Run{},
		onRef(func(ctx context.Context, d *source, r *syncjob.Run) (any, error) {
			s, err := r.State(ctx)
			d.hideRun(&s)
			return s, err
		}),
	},
	{
		"explain",
		"What a run waits for.",
		[]string{"job!", "run!"},
		syncjob.Explanation{},
		onRef(func(ctx context.Context, d *source, r *syncjob.Run) (any, error) {
			x, err := r.Explain(ctx)
			d.hideRun(&x.Run)
			return x, err
		}),
	},
	{
		"timeline", "What happened to a run, the oldest first.", []string{"job!", "run!"}, []states.TimelineEntry{},
		onRef(func(ctx context.Context, _ *source, r *syncjob.Run) (any, error) { return r.Timeline(ctx) }),
	},
	{
		"tasks",
		"Tasks of a run that have not succeeded.",
		[]string{"job!", "run!", "state", "kind", "queue", "after"},
		tasksPage{},
		func(ctx context.Context, d *source, q url.Values) (any, error) {
			b, err := d.tasks(ctx, q)
			if err != nil {
				return nil, err
			}
			page := b.(*tasksBody)
			for i := range page.Tasks {
				d.hideTask(&page.Tasks[i])
			}
			return tasksPage{page.Tasks, page.Next}, nil
		},
	},
	{
		"task",
		"One task.",
		[]string{"job!", "run!", "id!"},
		states.Task{},
		func(ctx context.Context, d *source, q url.Values) (any, error) {
			r, err := d.runOf(q)
			if err != nil {
				return nil, err
			}
			t, err := r.Task(q.Get("id")).State(ctx)
			d.hideTask(&t)
			return t, err
		},
	},
	{
		"results", "Results of tasks of a run. Values are there if payloads are shown.",
		[]string{"job!", "run!", "id", "kind", "after"}, resultsPage{},
		func(ctx context.Context, d *source, q url.Values) (any, error) { return d.resultsJSON(ctx, q) },
	},
	{
		"failures",
		"Tasks of a run that failed for good.",
		[]string{"job!", "run!", "kind", "after"},
		failuresPage{},
		func(ctx context.Context, d *source, q url.Values) (any, error) {
			b, err := d.failures(ctx, q)
			if err != nil {
				return nil, err
			}
			page := failuresPage{}
			for _, f := range b.(*failuresBody).Failures {
				d.hideFailure(&f.Failure)
				page.Failures = append(page.Failures, f.Failure)
			}
			page.Next = b.(*failuresBody).Next
			return page, nil
		},
	},
	{
		"failure-groups",
		"Failures of all jobs, counted by kind and error.",
		[]string{"prefix", "after"},
		states.FailureGroups{},
		func(ctx context.Context, d *source, q url.Values) (any, error) {
			groups, err := d.m.FailureGroups(ctx, &syncjob.AllFailuresOptions{
				Prefix: q.Get("prefix"), After: q.Get("after"), Limit: maxGrouped,
			})
			for i := range groups.Groups {
				d.hideFailure(&groups.Groups[i].Example)
			}
			return groups, err
		},
	},
	{
		"queues",
		"Queues with tasks. An autoscaler reads waiting tasks and the oldest of them here.",
		nil,
		[]states.Queue{},
		func(ctx context.Context, d *source, _ url.Values) (any, error) { return d.queues.get(ctx) },
	},
	{
		"workers",
		"Workers that are alive.",
		nil,
		[]states.Worker{},
		func(ctx context.Context, d *source, _ url.Values) (any, error) { return d.workers.get(ctx) },
	},
	{
		"lost-workers",
		"Workers that were lost within the last day.",
		nil,
		[]states.LostWorker{},
		func(ctx context.Context, d *source, _ url.Values) (any, error) { return d.lost.get(ctx) },
	},
	{
		"audit", "Who changed what, the newest first.", []string{"job", "run", "by", "action", "after"}, auditPage{},
		func(ctx context.Context, d *source, q url.Values) (any, error) {
			b, err := d.audit(ctx, q)
			if err != nil {
				return nil, err
			}
			return auditPage{b.(*auditBody).Entries, b.(*auditBody).Next}, nil
		},
	},
	{
		"activity", "How much was done of each kind in each queue, in intervals of the last 1h, 8h, 3d or 90d.",
		[]string{"span", "queue"}, []states.ActivitySeries{},
		func(ctx context.Context, d *source, q url.Values) (any, error) {
			s, err := spanOf(q.Get("span"))
			if err != nil {
				return nil, err
			}
			return s.read(ctx, d.m, q.Get("queue"))
		},
	},
	{
		"limits", "Limits in force, and who uses them.", nil, []states.LimitUse{},
		func(ctx context.Context, d *source, _ url.Values) (any, error) { return d.limits.get(ctx) },
	},
	{
		"semaphores", "Semaphores in use, with holders and waiters, by key.",
		[]string{"prefix", "after"}, semaphoresPage{},
		func(ctx context.Context, d *source, q url.Values) (any, error) {
			b, err := d.locks(ctx, q)
			if err != nil {
				return nil, err
			}
			return semaphoresPage{b.(*locksBody).Semaphores, b.(*locksBody).Next}, nil
		},
	},
	{"pauses", "What is paused.", nil, pausesPage{}, func(ctx context.Context, d *source, _ url.Values) (any, error) {
		p, err := d.pauses.get(ctx)
		return pausesPage(p), err
	}},
}

func onRef(
	read func(context.Context, *source, *syncjob.Run) (any, error),
) func(context.Context, *source, url.Values) (any, error) {
	return func(ctx context.Context, d *source, q url.Values) (any, error) {
		r, err := d.runOf(q)
		if err != nil {
			return nil, err
		}
		return read(ctx, d, r)
	}
}

// problem is what a call answers when it fails.
type problem struct {
	Error string `json:"error"`
}

// api answers GET /api/v1/… with JSON.
func (d *server) api(c call) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		q := r.URL.Query()
		err := d.authorize(r, looks(q))
		var v any
		if err == nil {
			ctx, cancel := context.WithTimeout(r.Context(), ReadTime)
			defer cancel()
			v, err = c.read(ctx, d.source, q)
		}
		d.answer(w, v, err)
	}
}

func (d *source) answer(w http.ResponseWriter, v any, err error) {
	status := http.StatusOK
	if err != nil {
		e := explain(err)
		status, v = e.status, problem{e.text}
	}
	body, err := exact(v)
	if err != nil {
		status, body = http.StatusInternalServerError, []byte(`{"error":"the answer could not be encoded"}`)
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_, _ = w.Write(append(body, '\n'))
}
