// Package command has the commands of a program that syncs trees of files: start, worker, list and
// others. A program that has more sources than directories says how to open them, and one whose set
// takes scripts how it makes that.
package command

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"

	"github.com/rollcall-go/rollcall/examples/ingest/mirror"
)

const usage = `ingest syncs a directory tree to another.

  ingest start -src DIR [-dst DIR]   start a job
  ingest worker -store URL           work for jobs on a Redis
  ingest list -store URL             list jobs
  ingest watch NAME -store URL       follow a job until it ends; a periodic one, until it is stopped
  ingest stop NAME -store URL        stop a job
  ingest configure NAME -store URL   change how the tasks of a job that runs are tried
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

// tool is the program.
type tool struct {
	handlers mirror.Config
}

func (t tool) commands() map[string]func(ctx context.Context, args []string, io streams) error {
	return map[string]func(ctx context.Context, args []string, io streams) error{
		"start":     t.start,
		"worker":    t.work,
		"list":      listJobs,
		"watch":     watch,
		"stop":      stop,
		"configure": t.configure,
		"explain":   explain,
		"failures":  failures,
		"redrive":   redrive,
	}
}

// Main runs the command that the program was called with, and ends the program. The first interrupt
// ends the command in order; the second one ends the program.
//
// handlers is what the program has beside the commands. Sources with a scheme, such as s3://bucket,
// are opened with its Open; if it is nil, only directories are sources. The flag -event-handler is
// there if it has NewSet, which must make a set that takes scripts. Hooks and Middleware are called
// inside of those of the commands.
func Main(handlers mirror.Config) {
	ctx, restore := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	context.AfterFunc(ctx, restore)
	os.Exit(Run(ctx, os.Args[1:], os.Stdout, os.Stderr, handlers))
}

// Run runs one command, and returns the exit status: 0, 1 after an error, and 2 if the arguments
// are wrong. It writes results to out, and everything else to errs. handlers is as in [Main].
func Run(ctx context.Context, args []string, out, errs io.Writer, handlers mirror.Config) int {
	return tool{handlers}.run(ctx, args, streams{out, errs})
}

func (t tool) run(ctx context.Context, args []string, io streams) int {
	if len(args) == 0 || args[0] == "-h" || args[0] == "-help" || args[0] == "--help" || args[0] == "help" {
		fmt.Fprint(io.err, usage)
		if len(args) == 0 {
			return exitUsage
		}
		return exitOK
	}
	command, ok := t.commands()[args[0]]
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
