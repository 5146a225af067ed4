// Package crontab reads cron expressions and computes when they are due in a time zone.
//
// An expression has five fields, separated by spaces:
//
//	minute        0-59
//	hour          0-23
//	day of month  1-31
//	month         1-12, or JAN to DEC
//	day of week   0-7, where 0 and 7 are Sunday, or SUN to SAT
//
// A field is a list of parts, separated by commas. A part is a number or name (5), a range (1-5),
// or * for all. A range and * may have a step (1-31/2, */15). 5/10 means from 5 to the end in steps
// of ten. In the fields of days, ? means *. Case does not matter. If both fields of days are
// restricted, a day is due if it satisfies one of them. A field with * or ? without a step is not
// restricted.
//
// Instead of five fields, an expression is one of @yearly, @annually, @monthly, @weekly, @daily,
// @midnight and @hourly. Seconds, years, and L, W and # are not supported.
package crontab

import (
	"errors"
	"fmt"
	"math/bits"
	"strings"
	"time"
)

// Expression is a parsed cron expression. It does not change.
type Expression struct {
	minutes, hours, days, months, weekdays uint64 // bit n: n is due
	anyDay, anyWeekday                     bool   // the field is not restricted
}

// ErrNever is returned for an expression without a day that exists, such as 30 February.
var ErrNever = errors.New("is never due: none of its months has such a day")

var descriptors = map[string]string{
	"@yearly":   "0 0 1 1 *",
	"@annually": "0 0 1 1 *",
	"@monthly":  "0 0 1 * *",
	"@weekly":   "0 0 * * 0",
	"@daily":    "0 0 * * *",
	"@midnight": "0 0 * * *",
	"@hourly":   "0 * * * *",
}

// Parse reads an expression. Its error says which field is wrong, or is [ErrNever].
func Parse(spec string) (*Expression, error) {
	texts := strings.Fields(spec)
	if len(texts) == 1 && strings.HasPrefix(texts[0], "@") {
		full, known := descriptors[strings.ToLower(texts[0])]
		if !known {
			return nil, fmt.Errorf("%.200q is not one of @yearly, @monthly, @weekly, @daily and @hourly", spec)
		}
		texts = strings.Fields(full)
	}
	if len(texts) != len(fields) {
		return nil, fmt.Errorf("%.200q is not a cron expression of five fields: it has %d", spec, len(texts))
	}
	var sets [len(fields)]uint64
	var whole [len(fields)]bool
	var errs []error
	for i, text := range texts {
		var err error
		sets[i], whole[i], err = fields[i].parse(text)
		if err != nil {
			errs = append(errs, fmt.Errorf("%s %w", fields[i].name, err))
		}
	}
	if err := errors.Join(errs...); err != nil {
		list := strings.ReplaceAll(err.Error(), "\n", "; ")
		return nil, fmt.Errorf("%.200q is not a cron expression of five fields: %s", spec, list)
	}
	const sunday, alsoSunday = 1 << 0, 1 << 7
	if sets[4]&alsoSunday != 0 {
		sets[4] = sets[4]&^alsoSunday | sunday
	}
	e := &Expression{
		minutes: sets[0], hours: sets[1], days: sets[2], months: sets[3], weekdays: sets[4],
		anyDay: whole[2], anyWeekday: whole[4],
	}
	if e.never() {
		return nil, fmt.Errorf("%.200q %w", spec, ErrNever)
	}
	return e, nil
}

// never reports whether no day satisfies the expression. Every month has all days of the week. So
// this is possible only for an expression that is restricted by days of the month.
func (e *Expression) never() bool {
	if e.anyDay || !e.anyWeekday {
		return false
	}
	for month := time.January; month <= time.December; month++ {
		const leapYear = 2024
		last := time.Date(leapYear, month+1, 0, 0, 0, 0, 0, time.UTC).Day()
		if has(e.months, int(month)) && bits.TrailingZeros64(e.days) <= last {
			return false
		}
	}
	return true
}

// Next returns the first time after the given one at which the expression is due in the zone.
//
// There is one rule for changed clocks: a time is due at the first moment when the clocks of the
// zone show it or a later time. So a time that does not exist is due when the clocks jump over it,
// and several such times are due once. A time that comes twice is due only the first time.
func (e *Expression) Next(after time.Time, zone *time.Location) time.Time {
	// The time that the clocks show at that moment is reached already, so it is no longer due.
	shown := reading(after.In(zone)).Truncate(time.Minute)
	for {
		shown = e.following(shown)
		if at := reached(shown, zone); at.After(after) {
			return at
		}
		// The clocks were set back and show the time for the second time.
	}
}

// following returns the first clock reading after the given one that satisfies the expression. A
// reading is stored as a time in UTC, because there every minute exists once. The search ends after
// at most eight years, the longest time between two leap days.
func (e *Expression) following(shown time.Time) time.Time {
	shown = shown.Add(time.Minute)
	for {
		year, month, day := shown.Date()
		switch {
		case !has(e.months, int(month)):
			shown = time.Date(year, month+1, 1, 0, 0, 0, 0, time.UTC)
		case !e.includes(day, shown.Weekday()):
			shown = time.Date(year, month, day+1, 0, 0, 0, 0, time.UTC)
		case !has(e.hours, shown.Hour()):
			shown = time.Date(year, month, day, shown.Hour()+1, 0, 0, 0, time.UTC)
		case !has(e.minutes, shown.Minute()):
			shown = shown.Add(time.Minute)
		default:
			return shown
		}
	}
}

// includes reports whether a day is due, if its month is due.
func (e *Expression) includes(day int, weekday time.Weekday) bool {
	byDay, byWeekday := has(e.days, day), has(e.weekdays, int(weekday))
	if e.anyDay || e.anyWeekday {
		return byDay && byWeekday
	}
	return byDay || byWeekday
}

func has(set uint64, n int) bool { return set&(1<<n) != 0 }

// reading returns what a clock shows at a time in its zone.
func reading(t time.Time) time.Time {
	_, offset := t.Zone()
	return t.UTC().Add(time.Duration(offset) * time.Second)
}

// reached returns the first moment when the clocks of the zone show the reading or a later one.
func reached(shown time.Time, zone *time.Location) time.Time {
	// No zone differs from UTC by a day, so at this moment the clocks have not reached it yet.
	const day = 24 * time.Hour
	t := shown.Add(-day).In(zone)
	for {
		// From start to end the clocks differ from UTC by the same time.
		start, end := t.ZoneBounds()
		_, offset := t.Zone()
		at := shown.Add(-time.Duration(offset) * time.Second)
		if at.Before(start) {
			at = start // the clocks jumped over it
		}
		if end.IsZero() || at.Before(end) {
			return at.In(zone)
		}
		t = end
	}
}
