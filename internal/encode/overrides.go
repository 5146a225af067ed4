// Package encode has code that package enqueue shares with packages that run tasks: the stored form
// of a task's own attributes, headers, and sizes.
package encode

import (
	"encoding/json"
	"fmt"
	"time"

	"github.com/rollcall-go/rollcall/store"
)

// Overrides are a task's own attributes, as stored in [store.Task].Attributes. Zero inherits.
type Overrides struct {
	MaxRetries int           `json:"max_retries,omitempty"` // -1 means none
	Timeout    time.Duration `json:"timeout,omitempty"`     // in nanoseconds; -1 means none
}

// Encode returns the stored form as JSON. For the zero value it is nil, so most tasks store
// nothing.
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

// DecodeOverrides reads the stored form. It ignores unknown fields: they come from a newer version.
// If it cannot read the form, it returns [store.ErrCorrupt].
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
