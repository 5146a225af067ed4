package timetable

import (
	"fmt"
	"time"
)

var loadLocation = time.LoadLocation

// ReplaceZones replaces the time zone database of this machine for tests, until restore is called.
func ReplaceZones(load func(name string) (*time.Location, error)) (restore func()) {
	before := loadLocation
	loadLocation = load
	return func() { loadLocation = before }
}

// loadZone finds a time zone by its IANA name. If there is none, reason says why: it is the end of
// a sentence that begins with the field.
func loadZone(name string) (zone *time.Location, reason string) {
	if name == "Local" {
		return nil, `is "Local", which each machine would read differently`
	}
	zone, err := loadLocation(name)
	if err == nil {
		return zone, ""
	}
	// Every database has this one.
	if _, err := loadLocation("Europe/London"); err != nil {
		return nil, fmt.Sprintf("%.80q cannot be looked up: this machine has no time zone database; "+
			"install tzdata, or import time/tzdata", name)
	}
	return nil, fmt.Sprintf("%.80q is not the name of a time zone in the database of this machine", name)
}
