package syncjob

import (
	"context"
	"crypto/rand"

	"github.com/rollcall-go/rollcall/store"
)

// WithActor returns a context with the name of the caller, for example the user of a tool. Every
// operation that changes something keeps the name in the audit (see [Manager.Audit]);
// [Manager.Pause] also keeps it with the pause, and [Manager.Configure] in the history. The name
// has up to 1 KiB; a longer one is refused by each call, with a [*FieldError]. Without a name, host
// and process ID are used.
func WithActor(ctx context.Context, name string) context.Context {
	a := givenActor(ctx)
	a.Name = name
	return store.WithActor(ctx, a)
}

// WithReason returns a context with the reason of the caller, up to 1 KiB, for the audit. It is
// used by operations that are not given a reason of their own.
func WithReason(ctx context.Context, reason string) context.Context {
	a := givenActor(ctx)
	a.Reason = reason
	return store.WithActor(ctx, a)
}

// oneOperation returns a context for the calls of one operation, which the audit shows as one.
func oneOperation(ctx context.Context) context.Context {
	a := givenActor(ctx)
	a.Operation = rand.Text()
	return store.WithActor(ctx, a)
}

// givenActor returns the actor of a context, without a default.
func givenActor(ctx context.Context) store.Actor {
	a, named := store.ActorOf(ctx)
	if !named {
		a.Name = ""
	}
	return a
}

// actor returns the name of the caller.
func actor(ctx context.Context) string {
	a, _ := store.ActorOf(ctx)
	return a.Name
}
