package states

import (
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"github.com/rollcall-go/rollcall/internal/plain"
	"github.com/rollcall-go/rollcall/internal/printable"
	"github.com/rollcall-go/rollcall/store"
	"github.com/rollcall-go/rollcall/store/statuses"
)

// TaskStatus says where a task is that has not succeeded and was not cancelled; see the constants.
type TaskStatus = statuses.TaskStatus

// Where tasks are.
const (
	TaskWaiting  = statuses.TaskWaiting  // a worker may fetch it
	TaskHeld     = statuses.TaskHeld     // it, or its run, is paused, or the pre-job hook has not passed
	TaskDelayed  = statuses.TaskDelayed  // waits for a time: it was enqueued so, or snoozed
	TaskRetrying = statuses.TaskRetrying // waits for a time, after an attempt that failed
	TaskRunning  = statuses.TaskRunning  // a worker has it, and runs it or is about to
	// TaskExpired: it waits, but its enqueue.Options.Expires has passed. The worker that fetches it
	// next cancels it.
	TaskExpired = statuses.TaskExpired
	TaskFailed  = statuses.TaskFailed // for good
)

// Task is one task of a run, as it was when it was read.
type Task struct {
	Job    string     `json:"job"`
	Number int64      `json:"number"` // of the run
	ID     string     `json:"id"`
	Kind   string     `json:"kind"`
	Queue  string     `json:"queue"`
	Set    string     `json:"set"`
	State  TaskStatus `json:"state"`
	// Since is when the attempt of a running task began, as of its worker's last heartbeat; zero if
	// that did not name the task yet. Of a failed task it is when it failed; of any other, when its
	// last attempt ended, or else when it was enqueued.
	Since       time.Time `json:"since,omitzero"`
	NextAttempt time.Time `json:"next_attempt,omitzero"` // of a delayed or retrying task
	// Attempt is the number of the attempt that runs or comes next; of a failed task, of the last one.
	// It is one more than the number of attempts that failed before.
	Attempt  int      `json:"attempt"`
	Crashes  int      `json:"crashes"`          // how often a worker died while it ran this task after a recovery
	Worker   string   `json:"worker,omitempty"` // of a running or failed task; empty if it is not known
	Progress Progress `json:"progress,omitzero"`
	Error    string   `json:"error,omitempty"` // of a failed task
	// Attempts are the last ones that failed, were interrupted by the shutdown of a worker, or whose
	// worker died: at most [bounds.MaxAttempts], oldest first. Their texts are cut so that all of
	// them take at most [bounds.MaxAttemptBytes].
	Attempts []store.Attempt   `json:"attempts,omitempty"`
	Enqueued time.Time         `json:"enqueued,omitzero"`
	Expires  time.Time         `json:"expires,omitzero"` // from when on it is not begun any more; zero for never
	Headers  map[string]string `json:"headers,omitempty"`
	Payload  json.RawMessage   `json:"-"`      // the arguments, if they were asked for; may be large or private
	Cursor   string            `json:"cursor"` // where a listing goes on behind the task: see syncjob.TasksOptions
}

// DecodeArgs decodes the arguments of the task from JSON into v, a pointer. They must have been
// asked for.
func (s Task) DecodeArgs(v any) error {
	if err := plain.Unmarshal(s.Payload, v); err != nil {
		return fmt.Errorf("decode arguments of task %s: %w", s.ID, err)
	}
	return nil
}

// String says it in one line, with escapes in place of what would break it, as syncjob.Printable
// does.
func (s Task) String() string {
	parts := []string{fmt.Sprintf("%s %s: %s", s.Kind, s.ID, s.State)}
	if s.Worker != "" {
		parts = append(parts, "by "+s.Worker)
	}
	if !s.Since.IsZero() {
		parts = append(parts, "since "+s.Since.Format(time.DateTime))
	}
	parts = append(parts, fmt.Sprintf("attempt %d", s.Attempt))
	if !s.NextAttempt.IsZero() {
		parts = append(parts, "next at "+s.NextAttempt.Format(time.DateTime))
	}
	if !s.Expires.IsZero() {
		parts = append(parts, "expires at "+s.Expires.Format(time.DateTime))
	}
	switch n := len(s.Attempts); {
	case s.Error != "":
		parts = append(parts, s.Error)
	case n > 0:
		parts = append(parts, "before: "+s.Attempts[n-1].Error)
	}
	return printable.Text(strings.Join(parts, ", "))
}
