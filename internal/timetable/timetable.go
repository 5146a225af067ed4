// Package timetable computes due times: of runners by the local clock, of periodic jobs by the
// store's clock.
package timetable

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"time"

	"github.com/rollcall-go/rollcall/internal/crontab"
	"github.com/rollcall-go/rollcall/store"
)

// MinEvery is the shortest interval of a trigger or a schedule.
const MinEvery = time.Millisecond

// Timetable says when something is due. Make one with [New].
type Timetable struct {
	every time.Duration
	cron  *crontab.Expression
	zone  *time.Location
	at    time.Time
}

// New checks the fields of a trigger or schedule. Exactly one of every, spec and at must be set.
// Errors name the fields after prefix.
func New(prefix string, every time.Duration, spec, zone string, at time.Time) (t Timetable, errs []error) {
	bad := func(field, reason string) {
		errs = append(errs, &store.FieldError{Field: prefix + field, Reason: reason})
	}
	t = Timetable{every: every, zone: time.UTC, at: at}
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
	if zone != "" {
		var reason string
		if t.zone, reason = loadZone(zone); reason != "" {
			bad("Zone", reason)
		}
		if spec == "" {
			bad("Zone", "is set without Cron")
		}
	}
	if spec != "" {
		var err error
		if t.cron, err = parseCron(spec); err != nil {
			bad("Cron", err.Error())
		}
	}
	return t, errs
}

// parseCron reads an expression. It refuses a time zone or interval in it: they have fields.
func parseCron(spec string) (*crontab.Expression, error) {
	switch {
	case strings.Contains(spec, "TZ="):
		return nil, fmt.Errorf("%.200q names a time zone: use the field Zone", spec)
	case strings.HasPrefix(spec, "@every"):
		return nil, fmt.Errorf("%.200q is an interval: use the field Every", spec)
	}
	return crontab.Parse(spec)
}

// Zone returns the time zone of Cron; UTC if none is set.
func (t Timetable) Zone() *time.Location { return t.zone }

// Next returns the first due time after the given one; zero if there is none. Intervals begin at
// anchor.
func (t Timetable) Next(anchor, after time.Time) time.Time {
	switch {
	case t.cron != nil:
		return t.cron.Next(after, t.zone)
	case t.every > 0 && after.Before(anchor):
		return anchor
	case t.every > 0:
		return anchor.Add(after.Sub(anchor).Truncate(t.every) + t.every)
	case t.at.After(after):
		return t.at
	}
	return time.Time{}
}

// PutOff returns a random part of the longest delay.
func PutOff(longest time.Duration) time.Duration {
	if longest <= 0 {
		return 0
	}
	return rand.N(longest)
}
