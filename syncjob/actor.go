package syncjob

import (
	"context"
	"fmt"
	"os"
)

type actorKey struct{}

// WithActor returns a context with the name of the caller, for example the user of a tool.
// [Manager.Pause] keeps the name with the pause, and [Manager.Configure] in the history. The name
// has up to 1 KiB. Without a name, host and process ID are used.
func WithActor(ctx context.Context, name string) context.Context {
	return context.WithValue(ctx, actorKey{}, name)
}

// actor returns the name of the caller.
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
