package main

import (
	"bufio"
	"errors"
	"fmt"
	"os"
	"path/filepath"
)

// audit counts what the members left in the directory, for a number of parcels. It asks no store.
func audit(s settings, parcels int, killed map[string]bool) error {
	var problems []error
	bad := func(format string, args ...any) { problems = append(problems, fmt.Errorf(format, args...)) }
	attempts, err := read(s.attempts())
	if err != nil {
		return err
	}
	again := 0
	for number := 1; number <= parcels; number++ {
		if _, err := os.Stat(s.parcel(number)); err != nil {
			bad("parcel %d is lost: %w", number, err)
		}
		by := attempts[number]
		for _, member := range by[:max(0, len(by)-1)] {
			again++
			if !killed[member] {
				bad("parcel %d was begun by %s in vain, which was not killed", number, member)
			}
		}
	}
	if taken, _ := filepath.Glob(s.place("*")); len(taken) > s.places {
		bad("members had %d places, and there are %d", len(taken), s.places)
	}
	fmt.Printf(
		"%d parcels, each delivered; %d were begun again, after one of %d members was killed; at most %d worked at a time\n",
		parcels,
		again,
		len(killed),
		s.places,
	)
	return errors.Join(problems...)
}

// read returns the members that began each parcel, in this order.
func read(attempts string) (map[int][]string, error) {
	file, err := os.Open(attempts)
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
