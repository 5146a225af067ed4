// Ingest copies changes from one directory tree to another, with any number of workers.
//
// It is the largest of the examples. Package
// [github.com/rollcall-go/rollcall/examples/ingest/mirror] has the tasks; the commands are here.
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
//
// # What the options of a Celery ingest orchestrator are here
//
// Who knows an orchestrator that registers and copies files with Celery finds its options again:
//
//	job_name                     -name; made up and printed, if it is not given
//	interval                     -interval
//	files_per_task               -files-per-task
//	synchronous, progress        -wait, and the progress of start and watch
//	restart, path, file queue    -restart-queue, -path-queue, -file-queue
//	exclude_file_type            -exclude-type
//	exclude_file_name            -exclude-name
//	exclude_directory_name       -exclude-dir
//	profile, log file            -profile, with the host; -log-file
//	log interval, log count      -log-size: files are rotated by size, and four are kept
//	ignore_cache                 -ignore-cache
//	initial_ingest               -initial
//	max_retries, timeout, delay  -retries, -timeout, -delay; the command configure while a job runs
//	operation put_sync           -operation sync
//	operation put                -operation put
//	operation put_append         -operation append
//	operation no_op              -operation none
//	operation register           none: a file system has no catalogue of files that lie elsewhere
//	delete_mode                  -delete none, trash or delete; unregister: as register
//	target_path                  -dst; a path in it is that of the source, with -character-map
//	character_map                -character-map
//	unicode error paths          none: names travel as bytes, and need not be valid
//	pre and post hooks           mirror.Config.Hooks, around each event: create, modify, delete
//	pre_job, post_job            handlers.Hooks of a set; those of mirror check and close the trees
//	event_handler                mirror.Config: a program has its own hooks and sources
//	as_user, target_resource     none: files belong to the user of the worker, on one file system
//	list, watch, stop            the commands list, watch, stop; and explain, failures, redrive
//	a lock on each path          one run at a time changes a destination; others are refused
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
  ingest configure NAME -store URL   change retries, timeout and delay of a job that runs
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
	"start":     start,
	"worker":    work,
	"list":      listJobs,
	"watch":     watch,
	"stop":      stop,
	"configure": configure,
	"explain":   explain,
	"failures":  failures,
	"redrive":   redrive,
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
