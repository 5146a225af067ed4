package syncjob

import (
	"context"
	"fmt"
	"iter"

	"github.com/rollcall-go/rollcall/store"
	"github.com/rollcall-go/rollcall/store/bounds"
	"github.com/rollcall-go/rollcall/syncjob/states"
)

// TasksOptions select tasks of a run. The zero value selects all that have not succeeded.
type TasksOptions struct {
	State states.TaskStatus // Defaults to all.
	Kind  string            // Defaults to all.
	Queue string            // Defaults to all.
	// Payload asks for states.Task.Payload. Defaults to leaving the payloads out.
	Payload bool
	// After is the [states.Task.Cursor] of the last task of the page before: the sequence goes on
	// behind it. Defaults to the beginning.
	After string
	// Limit is the largest number of tasks to yield. Defaults to all.
	Limit int
}

// taskPage is how many tasks are looked at in one call.
const taskPage = 500

func (o *TasksOptions) params(run store.RunID) (store.TasksParams, error) {
	p := store.TasksParams{
		Run: run, Status: o.State, Kind: o.Kind, Queue: o.Queue, Payload: o.Payload, Cursor: o.After, Limit: taskPage,
	}
	if all := o.State == "" && o.Kind == "" && o.Queue == ""; all && o.Limit > 0 {
		p.Limit = min(p.Limit, o.Limit)
	}
	var bad error
	if o.Limit < 0 {
		bad = &FieldError{Field: "Limit", Reason: "is negative"}
	}
	return p, store.JoinFields(taskFields(p.Validate()), bad)
}

// taskFields names the fields of an error as options do.
func taskFields(err error) error {
	return store.RenameFields(err, func(field string) string {
		switch field {
		case "Run.Job":
			return "Name"
		case "Status":
			return "State"
		case "Cursor":
			return "After"
		case "Due":
			return "At"
		}
		return field
	})
}

// Tasks yields the tasks of the run that have not succeeded and were not cancelled: first those
// that workers have; then those that wait for a time, and those that wait for a worker, each by
// queue, set and kind, and with the last to run first; then the failures that are kept (see
// [Run.Failures]), in the order in which they failed. Nil options mean all. Hooks are not listed,
// nor are children of a task that has not succeeded yet.
//
// It reads pages of about 1 MiB while the caller consumes them. Each page is read at another
// moment. A task that moves meanwhile, for example from waiting to running, may be left out or come
// twice; one that stays where it is comes once, or twice if others are put behind it.
// An error ends the sequence. Errors: a [*FieldError]; [ErrRunNotFound], [ErrStateLost].
func (r *Run) Tasks(ctx context.Context, opts *TasksOptions) iter.Seq2[states.Task, error] {
	var o TasksOptions
	if opts != nil {
		o = *opts
	}
	return func(yield func(states.Task, error) bool) {
		p, err := o.params(r.id)
		if err != nil {
			yield(states.Task{}, fmt.Errorf("read tasks: %w", err))
			return
		}
		yielded := 0
		for rec, err := range r.taskRecords(ctx, p) {
			if err != nil {
				yield(states.Task{}, err)
				return
			}
			if yielded++; !yield(taskState(r.id, &rec), nil) || yielded == o.Limit {
				return
			}
		}
	}
}

// taskRecords yields the tasks that p selects, page by page.
func (r *Run) taskRecords(ctx context.Context, p store.TasksParams) iter.Seq2[store.TaskRecord, error] {
	return func(yield func(store.TaskRecord, error) bool) {
		for {
			var page store.TasksReply
			err := r.do("read tasks of", func() (err error) {
				page, err = r.m.store.Tasks(ctx, p)
				return taskFields(err)
			})
			if err != nil {
				yield(store.TaskRecord{}, r.lost(err))
				return
			}
			for _, rec := range page.Tasks {
				if !yield(rec, nil) {
					return
				}
			}
			if p.Cursor = page.Next; p.Cursor == "" {
				return
			}
		}
	}
}

// State finds the task and says where it is, with its arguments, its last attempts and the next
// one. Where few tasks wait, it looks at all of them. Among more it begins where the task most
// likely is: waiting tasks are about in the order in which they were enqueued, and an ID that
// Rollcall made begins with that time; the time of a chosen ID is kept with it. So most tasks are
// found in a few calls, however many wait. Those that are out of order are found by looking at all
// tasks, some thousands in a call, as Tasks lists them: tasks that waited for a time or are tried
// again, children, and those that took the place of a cancelled one. Their payloads do not travel.
// This takes about a second for a million tasks, also if some hundred of them have 1 MiB. It is
// slower where many thousands are that long, as a call reads few of these. It ends when ctx does. If
// several tasks have the ID, which takes IDs that are used again, the result is one of them.
//
// A task that succeeded is gone, and so is one that was cancelled: then the error is
// [ErrTaskNotFound]. To find that out takes a few calls for a chosen ID, as nothing has it; for
// others it takes a look at all tasks. A task that moves on more than once while it is sought may
// be missed. Errors: [ErrTaskNotFound]; a [*FieldError] for an ID that no task can have;
// [ErrRunNotFound], [ErrStateLost].
func (t *TaskRef) State(ctx context.Context) (states.Task, error) {
	if err := t.check(); err != nil {
		return states.Task{}, err
	}
	// What waited at first may run, wait for its next attempt, or have failed by the end.
	for _, status := range []states.TaskStatus{"", states.TaskRunning, states.TaskRetrying, states.TaskFailed} {
		p := store.TasksParams{
			Run: t.run.id, ID: t.id, Claimed: t.chosen(), Status: status, Payload: true, Limit: bounds.MaxPage,
		}
		for rec, err := range t.run.taskRecords(ctx, p) {
			if err != nil {
				return states.Task{}, err
			}
			return taskState(t.run.id, &rec), nil
		}
	}
	return states.Task{}, t.about(ErrTaskNotFound)
}
