// Package encode holds what package enqueue shares with those that run tasks: the stored form of
// what a task sets for itself, headers, and sizes.
package encode

import (
	"encoding/json"
	"fmt"
	"time"

	"github.com/rollcall-go/rollcall/store"
)

// Overrides are the attributes that one task sets for itself, as they are kept in
// [store.Task].Attributes. Zero inherits.
type Overrides struct {
	MaxRetries int           `json:"max_retries,omitempty"` // or -1 for none
	Timeout    time.Duration `json:"timeout,omitempty"`     // in nanoseconds, or -1 for none
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
	if err := o.Validate(); err != nil {
		return Overrides{}, fmt.Errorf("decode attributes of the task: %w: %w", store.ErrCorrupt, err)
	}
	return o, nil
}

// Validate reports what no task can set for itself.
func (o Overrides) Validate() error {
	var problems []error
	if o.MaxRetries < -1 {
		problems = append(problems, &store.FieldError{Field: "MaxRetries", Reason: "is negative and not NoRetries"})
	}
	if o.Timeout < -1 {
		problems = append(problems, &store.FieldError{Field: "Timeout", Reason: "is negative and not NoTimeout"})
	}
	return store.JoinFields(problems...)
}
