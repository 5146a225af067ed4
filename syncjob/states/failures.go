package states

import (
	"fmt"

	"github.com/rollcall-go/rollcall/internal/plain"
)

// DecodeArgs decodes the arguments of the task from JSON into v, a pointer.
func (f Failure) DecodeArgs(v any) error {
	if err := plain.Unmarshal(f.Payload, v); err != nil {
		return fmt.Errorf("decode arguments of task %s: %w", f.TaskID, err)
	}
	return nil
}
