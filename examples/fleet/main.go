// Fleet runs a fleet of worker processes, and replaces them one by one while tasks flow, as a
// deploy does. It is a supervisor and its members in one program:
//
//	scheduler -> gate -> worker
//
// Each member has a scheduler, which tries four times a second to get a place at a
// gate. The gate lets
// only so many members work at a time; the others stand by. A member with a place runs a worker.
// One context ends all three: the worker completes what it has begun, then the gate gives the place
// back, and then the scheduler returns.
//
// The supervisor adds parcels batch by batch. Amid each batch it starts a member and stops another,
// some by SIGTERM and some by SIGKILL. At the end it counts what the members left on the disk: each
// parcel was delivered once, and only members that were killed began any in vain.
//
//	go run ./examples/fleet
//
// It starts a redis-server for itself, if there is one on the PATH. Else say where one is:
//
//	go run ./examples/fleet -redis redis://localhost:6379
//
// On real machines, systemd or Kubernetes is the supervisor: member.go has all that you need.
package main

import (
	"context"
	"flag"
	"log"
	"os"
	"os/signal"
	"syscall"
)

func main() {
	log.SetFlags(0)
	var s settings
	s.register(flag.CommandLine)
	flag.Parse()
	// The one shutdown: whatever runs below ends with this context.
	ctx, _ := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	run := supervise
	if s.member != "" {
		run = work
	}
	if err := run(ctx, s); err != nil {
		log.Fatal(err)
	}
}
