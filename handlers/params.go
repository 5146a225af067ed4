package handlers

import (
	"encoding/json"
	"fmt"

	"github.com/rollcall-go/rollcall/internal/plain"
)

// encodeParams returns the parameters as JSON; nil if there are none.
func encodeParams(params any) (json.RawMessage, error) {
	if params == nil {
		return nil, nil
	}
	b, err := json.Marshal(params)
	switch {
	case err != nil:
		return nil, fmt.Errorf("do not encode as JSON: %w", err)
	case len(b) > maxParams:
		return nil, fmt.Errorf("take %d bytes, which is more than %d", len(b), maxParams)
	}
	return b, nil
}

// DecodeParams decodes the parameters of the task's kind into v, a pointer. They are those that
// were in force when the attempt began. If there are none, v does not change. An error is not
// permanent: an operator can correct the parameters before the retries are used up.
func (a *Attempt) DecodeParams(v any) error { return decodeParams(a.attrs, v) }

// DecodeParams decodes the parameters of the run's set into v, a pointer, as [Attempt.DecodeParams]
// does for a task. In Validate they are those in code.
func (r *Run) DecodeParams(v any) error {
	if r.attrs == nil {
		return nil
	}
	return decodeParams(r.attrs, v)
}

func decodeParams(attrs *Attributes, v any) error {
	params, _ := attrs.Params.(json.RawMessage) // effective attributes have this form
	if params == nil {
		return nil
	}
	if err := plain.Unmarshal(params, v); err != nil {
		return fmt.Errorf("decode parameters: %w", err)
	}
	return nil
}
