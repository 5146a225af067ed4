package enqueue

import (
	"encoding/json"
	"fmt"
	"time"

	"github.com/rollcall-go/rollcall/store"
)

// Overrides are the attributes that one task sets for itself, as they are kept in
// [store.Task].Attributes. Zero inherits.
type Overrides struct {
	MaxRetries int           `json:"max_retries,omitempty"` // or NoRetries
	Timeout    time.Duration `json:"timeout,omitempty"`     // in nanoseconds, or NoTimeout
}

// Encode returns the stored form: nil for the zero value, so that ordinary tasks
// pay nothing, and JSON otherwise.
func (o Overrides) Encode() []byte {
	if o == (Overrides{}) {
		return nil
	}
	b, err := json.Marshal(o)
	if err != nil {
		panic(err) // two integers always encode
	}
	return b
}

// DecodeOverrides reads the stored form. Fields that it does not know are ignored:
// they come from a newer version. What it cannot read is [store.ErrCorrupt].
func DecodeOverrides(b []byte) (Overrides, error) {
	if len(b) == 0 {
		return Overrides{}, nil
	}
	var o Overrides
	if err := json.Unmarshal(b, &o); err != nil {
		return Overrides{}, fmt.Errorf("decode attributes of the task: %w: %w", store.ErrCorrupt, err)
	}
	if err := o.validate(); err != nil {
		return Overrides{}, fmt.Errorf("decode attributes of the task: %w: %w", store.ErrCorrupt, err)
	}
	return o, nil
}
