// Ingest copies changes from one directory tree to another, with any number of workers.
//
// It is the largest of the examples. The tasks of its job find more work while they run. The root
// task makes the destination. A scan of each directory compares it with its copy. It enqueues a
// scan of each subdirectory, and copy tasks for the files, in chunks. The run is done when the last
// task is done. Its counters say exactly what was done, even if workers were killed.
//
// With the memory store, everything happens in one process:
//
//	go run ./examples/ingest start -src "$(go env GOROOT)/src"
//
// With Redis, any number of workers on any number of machines share the work. All machines need
// both trees under the same paths:
//
//	ingest worker -store redis://localhost:6379 &
//	ingest start  -store redis://localhost:6379 -src DIR -dst DIR -wait
//
// With -interval 10m, the trees are synced every ten minutes, even if workers come and go.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"
)

const usage = `ingest syncs a directory tree to another.

  ingest start -src DIR [-dst DIR]   start a job
  ingest worker -store URL           work for jobs on a Redis
  ingest list -store URL             list jobs
  ingest watch NAME -store URL       follow a job until it ends; a periodic one, until it is stopped
  ingest stop NAME -store URL        stop a job
  ingest explain NAME -store URL     say why a job is not done
  ingest failures NAME -store URL    list the tasks of a job that failed
  ingest redrive NAME -store URL     run those again

Each command has more flags: ingest COMMAND -h.
`

// The exit statuses of the program.
const (
	exitOK     = 0
	exitFailed = 1 // the run did not succeed, or there was another error
	exitUsage  = 2
)

// Why the exit status is not 0, although the command itself worked.
var (
	errNotSucceeded = errors.New("the run did not succeed")
	errFilesFailed  = errors.New("some files could not be copied")
)

// streams are where a command writes: results to out, everything else to err.
type streams struct{ out, err io.Writer }

var commands = map[string]func(ctx context.Context, args []string, io streams) error{
	"start":    start,
	"worker":   work,
	"list":     listJobs,
	"watch":    watch,
	"stop":     stop,
	"explain":  explain,
	"failures": failures,
	"redrive":  redrive,
}

func main() {
	ctx, restore := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	// The first signal ends the command in order; the second one ends the process.
	context.AfterFunc(ctx, restore)
	os.Exit(run(ctx, os.Args[1:], streams{os.Stdout, os.Stderr}))
}

// run executes one command and returns the exit status.
func run(ctx context.Context, args []string, io streams) int {
	if len(args) == 0 || args[0] == "-h" || args[0] == "-help" || args[0] == "--help" || args[0] == "help" {
		fmt.Fprint(io.err, usage)
		if len(args) == 0 {
			return exitUsage
		}
		return exitOK
	}
	command, ok := commands[args[0]]
	if !ok {
		say(io.err, "ingest: unknown command %q", args[0])
		fmt.Fprint(io.err, "\n", usage)
		return exitUsage
	}
	err := command(ctx, args[1:], io)
	var misuse *usageError
	switch {
	case err == nil, errors.Is(err, flag.ErrHelp):
		return exitOK
	case errors.As(err, &misuse):
		complain(io.err, args[0], err)
		say(io.err, "\"ingest %s -h\" says more.", args[0])
		return exitUsage
	}
	complain(io.err, args[0], err)
	return exitFailed
}
