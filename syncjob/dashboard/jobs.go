package dashboard

import (
	"context"
	"errors"
	"net/url"
	"slices"
	"time"

	"github.com/rollcall-go/rollcall/syncjob"
	"github.com/rollcall-go/rollcall/syncjob/states"
)

// jobsBody is a page of jobs.
type jobsBody struct {
	Filter JobFilter
	After  string
	Jobs   []states.Job
	Next   string // name of the last job, if more follow
	err    error
}

func (b *jobsBody) missing() error { return b.err }

// Groups are those that can be chosen.
func (b *jobsBody) Groups() []syncjob.Group {
	return []syncjob.Group{
		syncjob.GroupAll, syncjob.GroupActive, syncjob.GroupFinished, syncjob.GroupStopped, syncjob.GroupSinglePass,
		syncjob.GroupStanding, syncjob.GroupPeriodic,
	}
}

// Statuses are those that can be chosen.
func (b *jobsBody) Statuses() []string {
	return slices.DeleteFunc(statuses(), func(s string) bool { return s == "active" || s == "ended" }) // these are groups
}

// NextPage is the address of the jobs that follow.
func (b *jobsBody) NextPage() string {
	return link("jobs", append(b.Filter.pairs(), "after", b.Next)...)
}

// Acts are the actions on all jobs of the filter.
func (b *jobsBody) Acts() (list []manyLink) {
	for _, a := range onJobs {
		list = append(list, manyLink{a.short, b.Filter.act(a.name), a.danger})
	}
	return list
}

// manyLink leads to an action on many jobs.
type manyLink struct {
	Text, To string
	Danger   bool
}

func (d *source) jobs(ctx context.Context, q url.Values) (any, error) {
	b := &jobsBody{Filter: filterOf(q), After: q.Get("after")}
	options, err := b.Filter.options()
	if err != nil {
		return nil, err
	}
	options.After = b.After
	place := func(s states.Job) string { return s.Name }
	if b.Jobs, b.Next, b.err, err = take(d.m.Jobs(ctx, &options), place); err != nil {
		return nil, err
	}
	return b, nil
}

// jobBody is one job with its runs.
type jobBody struct {
	Job        states.Job
	Runs       []states.Run
	More       int // runs that are not shown
	Due        []time.Time
	DueUnknown string
	Definition string
}

func (b *jobBody) title() string { return "Job " + b.Job.Name }

// runsShown is how many runs the page of a job reads.
const runsShown = 20

func (d *source) job(ctx context.Context, q url.Values) (any, error) {
	s, err := d.m.State(ctx, q.Get("job"))
	if err != nil {
		return nil, err
	}
	b := &jobBody{Job: s}
	b.Definition = d.shown(Payload{Job: s.Name}, "definition", s.Definition)
	runs, err := d.m.JobRuns(ctx, s.Name)
	if err != nil {
		return nil, err
	}
	for i, r := range runs {
		if i == runsShown {
			b.More = len(runs) - i
			break
		}
		state, err := r.State(ctx)
		if errors.Is(err, syncjob.ErrRunNotFound) {
			continue // its time of keeping ended meanwhile
		}
		if err != nil {
			return nil, err
		}
		b.Runs = append(b.Runs, state)
	}
	if s.Type == states.JobPeriodic {
		b.Due, err = d.m.NextRuns(ctx, s.Name, 5)
		if errors.Is(err, syncjob.ErrDueUnknown) {
			b.DueUnknown, err = err.Error(), nil
		}
	}
	return b, err
}

// schedulesBody is a page of periodic jobs.
type schedulesBody struct {
	Jobs []states.Job
	Next string
	err  error
}

func (b *schedulesBody) missing() error { return b.err }

// Late reports whether a job should have been started.
func (b *schedulesBody) Late(s states.Job) bool { return overdue(s) }

func (d *source) schedules(ctx context.Context, q url.Values) (any, error) {
	b := new(schedulesBody)
	options := &syncjob.JobsOptions{Group: syncjob.GroupPeriodic, After: q.Get("after")}
	var err error
	place := func(s states.Job) string { return s.Name }
	if b.Jobs, b.Next, b.err, err = take(d.m.Jobs(ctx, options), place); err != nil {
		return nil, err
	}
	return b, nil
}
