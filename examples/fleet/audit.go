package main

import (
	"bufio"
	"errors"
	"fmt"
	"os"
	"path/filepath"
)

// audit counts what the members left in the directory. It asks no store.
func (f *supervisor) audit() error {
	var problems []error
	bad := func(format string, args ...any) { problems = append(problems, fmt.Errorf(format, args...)) }
	attempts, err := f.attempts()
	if err != nil {
		return err
	}
	again := 0
	for number := 1; number <= f.parcels; number++ {
		if _, err := os.Stat(f.parcel(number)); err != nil {
			bad("parcel %d is lost: %w", number, err)
		}
		by := attempts[number]
		for _, member := range by[:max(0, len(by)-1)] {
			again++
			if !f.crew.killed[member] {
				bad("parcel %d was begun by %s in vain, which was not killed", number, member)
			}
		}
	}
	if taken, _ := filepath.Glob(f.place("*")); len(taken) > f.places {
		bad("members had %d places, and there are %d", len(taken), f.places)
	}
	fmt.Printf(
		"%d parcels, each delivered; %d were begun again, after one of %d members was killed; at most %d worked at a time\n",
		f.parcels,
		again,
		len(f.crew.killed),
		f.places,
	)
	return errors.Join(problems...)
}

// attempts returns the members that began each parcel, in this order.
func (f *supervisor) attempts() (map[int][]string, error) {
	file, err := os.Open(filepath.Join(f.dir, "attempts"))
	if err != nil {
		return nil, err
	}
	defer file.Close()
	by := make(map[int][]string)
	lines := bufio.NewScanner(file)
	for lines.Scan() {
		var number int
		var member string
		if _, err := fmt.Sscan(lines.Text(), &number, &member); err != nil {
			return nil, err
		}
		by[number] = append(by[number], member)
	}
	return by, lines.Err()
}
