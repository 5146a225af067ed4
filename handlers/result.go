package handlers

import (
	"encoding/json"
	"fmt"
	"sync"

	"github.com/rollcall-go/rollcall/store"
	"github.com/rollcall-go/rollcall/store/bounds"
)

// result is the result that an attempt has set.
type result struct {
	mu    sync.Mutex
	data  []byte
	ended bool
}

func (r *result) set(data []byte) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.ended {
		return ErrAttemptEnded
	}
	r.data = data
	return nil
}

// end refuses later results, and returns the last one.
func (r *result) end() []byte {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.ended = true
	return r.data
}

// encodeResult encodes the result of a task or a run.
func encodeResult(v any) ([]byte, error) {
	data, err := json.Marshal(v)
	switch {
	case err != nil:
		return nil, badResult(fmt.Sprintf("cannot be encoded: %v", err))
	case len(data) > bounds.MaxResultLen:
		return nil, badResult(fmt.Sprintf("takes %d bytes, which is more than %d", len(data), bounds.MaxResultLen))
	}
	return data, nil
}

func badResult(reason string) error { return &store.FieldError{Field: "Result", Reason: reason} }
