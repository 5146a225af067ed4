package syncjob

import (
	"context"
	"fmt"
	"time"

	"github.com/rollcall-go/rollcall/store"
	"github.com/rollcall-go/rollcall/store/verdicts"
	"github.com/rollcall-go/rollcall/syncjob/states"
)

// CancelResult says what [TaskRef.Cancel] did.
type CancelResult string

// What Cancel does.
const (
	// CancelDone: the task waited. It is removed, never begins, and counts as cancelled.
	CancelDone CancelResult = "cancelled"
	// CancelRequested: a worker has the task. Its attempt is the last one.
	CancelRequested CancelResult = "requested"
	// CancelNotFound: no task of this ID waits or runs. It succeeded, failed or was cancelled before,
	// or it never was.
	CancelNotFound CancelResult = "not found"
)

// Cancel cancels the task, wherever it waits for a worker or a time; the result is [CancelDone],
// and the counts of the run change in the same step. If it was the last task of its run, the run
// ends.
//
// If a worker has the task, the result is [CancelRequested]. The worker hears of it within about a
// second, or with its next heartbeat. A task that it has not begun yet does not begin. The context
// of a running handler ends with the cause [ErrTaskCancelled]; if the handler then returns an
// error, the task is cancelled. A handler that succeeds, or fails for good, before it hears of
// this, has succeeded or failed. In any other case the task is cancelled: it is not tried again,
// also if it asks for that, if its worker gives it back, and if its worker dies. Only a server that
// loses acknowledged writes can lose a request.
//
// Hooks and failed tasks are not found, nor are children of a task that has not succeeded yet. The
// ID is free when the task is cancelled, or is kept for its KeepID. Cancel looks for the task as
// [TaskRef.State] does, so it takes as long; if ctx ends meanwhile, nothing was changed, or the
// task is cancelled. It may be repeated: for 15 minutes after the task was cancelled, the result is
// the same again. A listing by [Run.Tasks] that goes on while tasks are cancelled may leave out
// others: so collect their IDs first. Errors: a [*FieldError] for an ID that no task can have;
// [ErrRunNotFound], [ErrStateLost].
func (t *TaskRef) Cancel(ctx context.Context) (CancelResult, error) {
	change, err := t.change(ctx, store.ChangeTaskParams{Cancel: true})
	switch {
	case err != nil:
		return "", err
	case change == "":
		return CancelNotFound, nil
	}
	return CancelResult(change), nil
}

// RunNow makes a task due that waits for a time: one that was enqueued with a delay, was snoozed,
// or is tried again later. It keeps its attempts, and expires when it would. Errors:
// [ErrTaskNotDelayed] if it does not wait for a time, as after an earlier call; [ErrTaskNotFound];
// the errors of [TaskRef.Cancel].
func (t *TaskRef) RunNow(ctx context.Context) error {
	return t.reschedule(ctx, time.Time{})
}

// Reschedule makes a task that waits for a time wait until another one, by the store's clock. A
// time that is past means now. Errors: a [*FieldError] for the zero time; those of
// [TaskRef.RunNow].
func (t *TaskRef) Reschedule(ctx context.Context, at time.Time) error {
	if at.IsZero() {
		return &FieldError{Field: "At", Reason: "is the zero time"}
	}
	return t.reschedule(ctx, at)
}

func (t *TaskRef) reschedule(ctx context.Context, at time.Time) error {
	change, err := t.change(ctx, store.ChangeTaskParams{Due: at})
	switch {
	case err != nil:
		return err
	case change == verdicts.ChangeNotDelayed:
		return t.about(ErrTaskNotDelayed)
	case change == "":
		return t.about(ErrTaskNotFound)
	}
	return nil
}

// changeTries is how often a change looks for a task that moves on all the time.
const changeTries = 5

// change looks for the task and changes it; "" if it is not found.
func (t *TaskRef) change(ctx context.Context, p store.ChangeTaskParams) (verdicts.Change, error) {
	p.Run, p.ID, p.Claimed = t.run.id, t.id, t.chosen()
	if err := taskFields(p.Validate()); err != nil {
		return "", t.about(err)
	}
	for range changeTries {
		change, err := t.changeOnce(ctx, p)
		if err != nil || change != "" {
			return change, err
		}
		if moved, err := t.moved(ctx); err != nil || !moved {
			return "", err
		}
	}
	return "", nil
}

// changeOnce looks once at all places, in slices.
func (t *TaskRef) changeOnce(ctx context.Context, p store.ChangeTaskParams) (verdicts.Change, error) {
	for {
		var reply store.ChangeTaskReply
		err := t.run.do("change a task of", func() (err error) {
			reply, err = t.run.m.store.ChangeTask(ctx, p)
			return taskFields(err)
		})
		if err != nil {
			return "", t.run.lost(err)
		}
		if p.Cursor = reply.Next; p.Cursor == "" {
			return reply.Change, nil
		}
	}
}

// moved reports whether the task is where it can have come while others were looked at: a worker
// has it now, or it waits for its next attempt.
func (t *TaskRef) moved(ctx context.Context) (bool, error) {
	for _, status := range []states.TaskStatus{states.TaskRunning, states.TaskRetrying, states.TaskDelayed} {
		p := store.TasksParams{Run: t.run.id, ID: t.id, Claimed: t.chosen(), Status: status, Limit: taskPage}
		for _, err := range t.run.taskRecords(ctx, p) {
			return err == nil, err
		}
	}
	return false, nil
}

// about says which task an error is about.
func (t *TaskRef) about(err error) error {
	return fmt.Errorf("task %q of run %d of job %q: %w", t.id, t.run.id.Number, t.run.id.Job, err)
}
