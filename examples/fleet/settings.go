package main

import (
	"flag"
	"fmt"
	"path/filepath"
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

func (s *settings) parcel(number int) string {
	return filepath.Join(s.dir, fmt.Sprint("parcel-", number))
}

// place is a file that whoever has a place of the gate locks.
func (s *settings) place(slot any) string { return filepath.Join(s.dir, fmt.Sprint("place-", slot)) }

// attempts is the file where members note what they begin.
func (s *settings) attempts() string { return filepath.Join(s.dir, "attempts") }
