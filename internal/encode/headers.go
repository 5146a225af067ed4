package encode

import (
	"context"
	"fmt"
	"maps"
	"unicode/utf8"

	"github.com/rollcall-go/rollcall/store"
)

// MaxHeaderBytes is the largest size of all header keys and values of a task or run.
const MaxHeaderBytes = 8 << 10

// ValidateHeaders reports headers that are not valid.
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

// Inject returns the headers, and those that the propagator adds for ctx. The propagator may be
// nil. Existing headers do not change. Headers that would exceed [MaxHeaderBytes] are left out: a
// task is more important than its trace. The given map is not changed.
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

// Extract returns the context that the propagator makes from ctx and the headers. If the propagator
// is nil or returns nil, Extract returns ctx.
func Extract(ctx context.Context, p Propagator, headers map[string]string) context.Context {
	if p == nil {
		return ctx
	}
	if extracted := p.Extract(ctx, headers); extracted != nil {
		return extracted
	}
	return ctx
}
