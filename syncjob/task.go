package syncjob

import (
	"context"
	"fmt"

	"github.com/rollcall-go/rollcall/internal/taskid"
	"github.com/rollcall-go/rollcall/store"
	"github.com/rollcall-go/rollcall/syncjob/states"
)

// TaskRef is a reference to one task of a run. Making one makes no call and does not check that the
// task exists: see [Run.Task]. Its methods may be called concurrently.
type TaskRef struct {
	run *Run
	id  string
}

// Task returns a reference to the task with this ID; an [enqueue.Receipt] has it. It makes no call.
func (r *Run) Task(id string) *TaskRef { return &TaskRef{run: r, id: id} }

// ID returns the ID of the task.
func (t *TaskRef) ID() string { return t.id }

// Run returns the run of the task.
func (t *TaskRef) Run() *Run { return t.run }

// Running returns the attempt of the task that is in progress, and its progress, as of its worker's
// last heartbeat. ok is false if there is none. Errors: a [*FieldError] for an ID that no task can
// have; errors of the store.
func (t *TaskRef) Running(ctx context.Context) (running ExplainedTask, ok bool, err error) {
	if err := t.check(); err != nil {
		return running, false, err
	}
	partition := store.PartitionOf(t.run.id.Job, t.run.m.store.Partitions())
	sessions, err := t.run.m.store.LiveSessions(ctx, partition)
	if err != nil {
		return running, false, fmt.Errorf("read task %q: %w", t.id, err)
	}
	for _, s := range sessions {
		for _, r := range s.Running {
			if r.Run == t.run.id && r.ID == t.id {
				return ExplainedTask{RunningTask: r, Worker: s.Worker.Name}, true, nil
			}
		}
	}
	return running, false, nil
}

// Failure returns why the task failed for good. ok is false if it did not, or if the run does not
// keep this failure: see [Run.Failures]. It reads the failures that are kept. Errors: a
// [*FieldError] for an ID that no task can have; [ErrRunNotFound], [ErrStateLost].
func (t *TaskRef) Failure(ctx context.Context) (failure states.Failure, ok bool, err error) {
	if err := t.check(); err != nil {
		return failure, false, err
	}
	for f, err := range t.run.Failures(ctx, &FailuresOptions{IDs: []string{t.id}, Limit: 1}) {
		return f, err == nil, err
	}
	return failure, false, nil
}

// chosen reports whether a caller must have chosen the ID. Then a task that has it claims it.
func (t *TaskRef) chosen() bool {
	_, made := taskid.Made(t.id)
	return !made && t.id != rootID
}

func (t *TaskRef) check() error { return store.ValidateTaskID(t.id) }
