package syncjob

import (
	"context"
	"fmt"
	"os"
)

type actorKey struct{}

// WithActor returns a context whose calls are made in the name of somebody: the user of a tool, for
// example. [Manager.Pause] keeps the name with the pause, and [Manager.Configure] in the history.
// It has up to 1 KiB. Without a name that is host and process ID.
func WithActor(ctx context.Context, name string) context.Context {
	return context.WithValue(ctx, actorKey{}, name)
}

// actor is in whose name a call is made.
func actor(ctx context.Context) string {
	if name, _ := ctx.Value(actorKey{}).(string); name != "" {
		return name
	}
	return hostAndProcess()
}

func hostAndProcess() string { return fmt.Sprintf("%s-%d", hostname(), os.Getpid()) }

func hostname() string {
	host, err := os.Hostname()
	if err != nil {
		return "unknown-host"
	}
	return host
}
