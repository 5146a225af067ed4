package encode

import (
	"context"
	"fmt"
	"maps"
	"unicode/utf8"

	"github.com/rollcall-go/rollcall/store"
)

// MaxHeaderBytes bounds the keys and values of the headers of a task, or run, together.
const MaxHeaderBytes = 8 << 10

// ValidateHeaders reports headers that no task or run can have.
func ValidateHeaders(headers map[string]string) error {
	bad := func(reason string) error { return &store.FieldError{Field: "Headers", Reason: reason} }
	size := 0
	for key, value := range headers {
		switch {
		case key == "":
			return bad("holds an empty key")
		case !utf8.ValidString(key) || !utf8.ValidString(value):
			return bad("holds invalid UTF-8")
		}
		size += len(key) + len(value)
	}
	if size > MaxHeaderBytes {
		return bad(fmt.Sprintf("holds %d bytes, over the limit of %d", size, MaxHeaderBytes))
	}
	return nil
}

// Propagator is an enqueue.Propagator.
type Propagator interface {
	Inject(ctx context.Context, headers map[string]string)
	Extract(ctx context.Context, headers map[string]string) context.Context
}

// Inject returns headers with those that the propagator, which may be nil, adds for ctx. Headers
// that are there already stay as they are. What would make them exceed [MaxHeaderBytes] is left
// out: a task goes ahead of its trace. The given map is not changed.
func Inject(ctx context.Context, p Propagator, headers map[string]string) map[string]string {
	if p == nil {
		return headers
	}
	all := make(map[string]string, len(headers)+2)
	p.Inject(ctx, all)
	if len(all) == 0 {
		return headers
	}
	maps.Copy(all, headers)
	if ValidateHeaders(all) != nil {
		return headers
	}
	return all
}

// Extract returns what the propagator, which may be nil, makes of ctx by the headers; ctx itself if
// it returns none.
func Extract(ctx context.Context, p Propagator, headers map[string]string) context.Context {
	if p == nil {
		return ctx
	}
	if extracted := p.Extract(ctx, headers); extracted != nil {
		return extracted
	}
	return ctx
}
