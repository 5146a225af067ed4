// Rollcall shows what the jobs of a store do, and acts on them:
//
//	export ROLLCALL_STORE=redis://localhost:6379
//	rollcall jobs                 which jobs there are
//	rollcall watch                everything, on one live screen
//	rollcall explain import/42    what a job waits for
//	rollcall stop import/42       stops it
//	rollcall ui                   the dashboard, on this machine
//
// "rollcall help" lists all commands. Each prints a table, or JSON with -o json or -o jsonl.
// Install it with:
//
//	go install github.com/rollcall-go/rollcall/syncjob/cmd/rollcall@latest
//
// # Commands
//
// See what there is:
//
//	jobs job runs run explain timeline tasks task result failures queues activity workers
//	schedules sets pauses limits semaphores values history audit watch wait
//
// Act; what cannot be taken back asks first, unless --yes is set:
//
//	start enqueue seal stop pause resume enable trigger redrive delete
//	retry discard accept repeat-post-job cancel run-now reschedule release-hold
//	configure reset mode quiet drain release repair
//
// Tools:
//
//	ui check doctor acl completion help
//
// "stop", "enable", "pause", "resume", "retry" and "discard" also take many jobs at once. With -o
// json, a command that acts prints what it did, and to which job, run and task. The scripts of
// "completion" let a shell complete names of jobs, tasks, workers, sets, queues and others from
// the store.
//
// # Exit codes
//
//	0  done
//	1  an error without a code of its own
//	2  the command line is wrong
//	3  there is no such job, run or task
//	4  it is not in a state in which that can be done
//	5  the store does not answer
//
// The command wait exits with the status of the run: 0 if it succeeded, 10 if it failed, 11 if it
// was stopped, 12 if it was skipped. The command check exits as monitoring systems expect: 0 for
// OK, 1 for a warning, 2 for critical, 3 for unknown.
package main

import (
	"context"
	"os"
	"os/signal"
	"syscall"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	code := run(ctx, os.Args[1:], streams{in: os.Stdin, out: os.Stdout, err: os.Stderr})
	stop()
	os.Exit(code)
}
