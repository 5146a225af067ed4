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
	"fmt"
	"log"
	"os"
	"os/signal"
	"syscall"
	"time"
)

// settings are those of the supervisor and of each member.
type settings struct {
	redis  string
	dir    string // where parcels are delivered
	member string // its name; empty for the supervisor
	tasks  int
	places int
	lease  time.Duration

	processes, rounds, batch, kill int // of the supervisor
}

func (s *settings) register(fs *flag.FlagSet) {
	fs.StringVar(&s.redis, "redis", "", "`URL` of a Redis (default: that of a redis-server of its own)")
	fs.StringVar(&s.dir, "dir", "", "deliver parcels to this new `directory` (default: a temporary one)")
	fs.StringVar(&s.member, "member", "", "be the member of this `name`: the supervisor sets it")
	fs.IntVar(&s.tasks, "tasks", 3, "how many tasks a member runs at once")
	fs.IntVar(&s.places, "places", 4, "how many members work at a time")
	fs.DurationVar(
		&s.lease,
		"lease",
		6*time.Second,
		"after this time others get the tasks and the place of a killed member",
	)
	fs.IntVar(&s.processes, "processes", 6, "how many members there are")
	fs.IntVar(&s.rounds, "rounds", 9, "how many members are replaced")
	fs.IntVar(&s.batch, "batch", 200, "how many parcels are added before each replacement")
	fs.IntVar(&s.kill, "kill", 3, "kill each `N`th member instead of asking it to stop; 0 for none")
}

// flags returns the command line of a member.
func (s *settings) flags(name string) []string {
	return []string{
		"-redis", s.redis, "-dir", s.dir, "-member", name, "-lease", s.lease.String(),
		"-tasks", fmt.Sprint(s.tasks), "-places", fmt.Sprint(s.places),
	}
}

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
