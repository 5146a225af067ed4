package states

import (
	"encoding/json"
	"fmt"
	"time"

	"github.com/rollcall-go/rollcall/internal/plain"
)

// TaskResult is the result that a task set with its success; see [handlers.Attempt.SetResult].
type TaskResult struct {
	Job    string          `json:"job"`
	Number int64           `json:"number"` // of the run
	ID     string          `json:"id"`     // of the task
	Kind   string          `json:"kind"`   // under which the task was enqueued
	Set    string          `json:"set"`
	At     time.Time       `json:"at"`     // when the task succeeded
	Value  json.RawMessage `json:"-"`      // may be private
	Cursor string          `json:"cursor"` // where a listing goes on behind the result: see syncjob.ResultsOptions
}

// Decode decodes the result from JSON into v, a pointer.
func (r TaskResult) Decode(v any) error {
	if err := plain.Unmarshal(r.Value, v); err != nil {
		return fmt.Errorf("decode the result of task %s: %w", r.ID, err)
	}
	return nil
}
