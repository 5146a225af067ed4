package handlers

import (
	"context"

	"github.com/rollcall-go/rollcall/internal/execute"
	"github.com/rollcall-go/rollcall/store"
)

// Execute runs one delivery under the attributes in code.
func (r *Registry) Execute(ctx context.Context, d store.Delivery, cfg execute.Config) store.Outcome {
	return r.Executor(cfg).Execute(ctx, &d)
}

// Execute runs one delivery under the attributes in force.
func (l *Live) Execute(ctx context.Context, d store.Delivery, cfg execute.Config) store.Outcome {
	return l.Executor(cfg).Execute(ctx, &d)
}
