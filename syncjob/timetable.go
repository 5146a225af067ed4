package syncjob

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"time"

	"github.com/robfig/cron/v3"
)

// MinEvery is the shortest interval of a [Trigger] or a schedule.
const MinEvery = time.Millisecond

// timetable computes due times: those of runners by the local clock, those of periodic jobs by the store's.
type timetable struct {
	every time.Duration
	cron  *cron.SpecSchedule
	at    time.Time
}

// newTimetable checks the fields of a trigger or schedule, of which exactly one of every, spec and at must
// be set. Errors name the fields behind prefix.
func newTimetable(prefix string, every time.Duration, spec, zone string, at time.Time) (t timetable, errs []error) {
	bad := func(field, reason string) {
		errs = append(errs, &FieldError{Field: prefix + field, Reason: reason})
	}
	t = timetable{every: every, at: at}
	given := 0
	for _, set := range []bool{every != 0, spec != "", !at.IsZero()} {
		if set {
			given++
		}
	}
	if given != 1 {
		bad("Every", "or another way to say when must be set, and only one")
	}
	if every < 0 || every > 0 && every < MinEvery {
		bad("Every", fmt.Sprintf("is below %v", MinEvery))
	}
	location := time.UTC
	if zone != "" {
		var err error
		if location, err = time.LoadLocation(zone); err != nil {
			bad("Zone", fmt.Sprintf("%q is not the name of a time zone", zone))
		}
		if spec == "" {
			bad("Zone", "is set without Cron")
		}
	}
	if spec != "" {
		parsed, err := parseCron(spec)
		if err != nil {
			bad("Cron", err.Error())
			return t, errs
		}
		parsed.Location = location
		t.cron = parsed
	}
	return t, errs
}

// parseCron reads five fields, or a descriptor such as @daily.
func parseCron(spec string) (*cron.SpecSchedule, error) {
	if strings.Contains(spec, "TZ=") {
		return nil, fmt.Errorf("%q names a time zone, which is a field of its own", spec)
	}
	parsed, err := cron.ParseStandard(spec)
	if err != nil {
		return nil, fmt.Errorf("%q is not a cron expression of five fields: %v", spec, err)
	}
	s, ok := parsed.(*cron.SpecSchedule)
	switch {
	case !ok:
		return nil, fmt.Errorf("%q is an interval, which is a field of its own", spec)
	case s.Next(time.Now()).IsZero():
		return nil, fmt.Errorf("%q is never due", spec)
	}
	return s, nil
}

// next is the first due time after the given one, on the grid of intervals that begins with anchor; zero for
// never.
func (t timetable) next(anchor, after time.Time) time.Time {
	switch {
	case t.cron != nil:
		return t.cron.Next(after)
	case t.every > 0 && after.Before(anchor):
		return anchor
	case t.every > 0:
		return anchor.Add(after.Sub(anchor).Truncate(t.every) + t.every)
	case t.at.After(after):
		return t.at
	}
	return time.Time{}
}

// putOff is a random part of the longest delay.
func putOff(longest time.Duration) time.Duration {
	if longest <= 0 {
		return 0
	}
	return rand.N(longest)
}
