package schedule

import (
	"fmt"
	"time"

	"github.com/rollcall-go/rollcall/internal/timetable"
	"github.com/rollcall-go/rollcall/store"
)

// Overlap says what happens at a due time of a periodic job while the job's last run is active.
type Overlap string

// The overlap policies.
const (
	// OverlapSkip skips the due time: no run, no hook. [states.Job] counts it. It is the default.
	OverlapSkip Overlap = "skip"
	// OverlapQueueOne starts one run when the active one has ended, however many due times have
	// passed.
	OverlapQueueOne Overlap = "queue-one"
	// OverlapReplace stops the active run, and starts the next when its handlers have returned.
	OverlapReplace Overlap = "replace"
	// OverlapAfterCompletion makes the next run due when the interval Every has passed since the last
	// task of the run before ended, but not before that run's post-job hook has completed. It needs
	// Every.
	OverlapAfterCompletion Overlap = "after-completion"
)

// MinEvery is the shortest interval of a schedule, and of a trigger of package cron.
const MinEvery = timetable.MinEvery

// Schedule says when runs of a periodic job start. Set either Every or Cron. Due times are those of
// the store's clock, to the millisecond. Each starts at most one run, whatever the number of
// processes. Due times that pass while no worker runs, or while a run is being started, start one
// run together, with the first of them as its due time. So an interval may be shorter than the time
// that it takes to start a run.
type Schedule struct {
	// Every is a fixed interval. The first run is due one interval after the job was declared. At
	// least [MinEvery], in whole milliseconds.
	Every time.Duration `json:"every_ns,omitempty"`
	// Cron is an expression of five fields: minute (0-59), hour (0-23), day of the month (1-31), month
	// (1-12, JAN-DEC) and day of the week (0-7, SUN-SAT; 0 and 7 are Sunday). A field is * for all, or
	// a list, separated by commas, of numbers, names and ranges (1-5); ranges and * may have a step
	// (*/15, 8-18/2; 5/10 begins at 5). ? is * in the fields of days. If both fields of days are
	// restricted, a day is due if it satisfies one of them. A field with * or ? without a step is not
	// restricted. @hourly, @daily (@midnight), @weekly, @monthly and @yearly (@annually) are
	// expressions, too. Seconds, years, L, W and # are not supported, and an expression that is never
	// due, such as 30 February, is refused.
	//
	// When the clocks of the zone change, a time is due at the first moment when they show it or a
	// later time. So a time that does not exist is due when the clocks jump over it, and several
	// such times are due once. A time that comes twice is due the first time only: "0 * * * *"
	// pauses for an hour when clocks are set back. Use Every for a schedule without such a pause.
	Cron string `json:"cron,omitempty"`
	// Zone is the time zone of Cron, by its IANA name. Each machine that computes due times looks
	// it up in its time zone database. Without a database only UTC is known; the system package
	// tzdata, or an import of time/tzdata, provides one. "Local" is refused. Defaults to UTC.
	Zone string `json:"zone,omitempty"`
	// Overlap says what happens at a due time while the last run is active. Defaults to
	// OverlapSkip.
	Overlap Overlap `json:"overlap,omitempty"`
	// Jitter delays each run by a random time shorter than Jitter. It must be shorter than Every.
	// Due times stay as they are. If the next time of Cron comes while a run is delayed, it starts
	// no run of its own. Defaults to none.
	Jitter time.Duration `json:"jitter_ns,omitempty"`
	// FireOnCreate makes a run due at once when the job is declared for the first time.
	FireOnCreate bool `json:"fire_on_create,omitempty"`
}

// Validate reports every problem of the schedule, each as a store.FieldError.
func (s *Schedule) Validate() error {
	_, errs := timetable.New("Schedule.", s.Every, s.Cron, s.Zone, time.Time{})
	if s.Every%time.Millisecond != 0 && s.Every > MinEvery {
		errs = append(errs, &store.FieldError{Field: "Schedule.Every", Reason: "is not a whole number of milliseconds"})
	}
	switch s.Overlap {
	case "", OverlapSkip, OverlapQueueOne, OverlapReplace:
	case OverlapAfterCompletion:
		if s.Every == 0 {
			errs = append(
				errs, &store.FieldError{Field: "Schedule.Overlap", Reason: "is OverlapAfterCompletion, which needs Every"},
			)
		}
	default:
		errs = append(
			errs,
			&store.FieldError{
				Field: "Schedule.Overlap",
				Reason: fmt.Sprintf(
					"%q is not one of OverlapSkip, OverlapQueueOne, OverlapReplace and OverlapAfterCompletion", s.Overlap,
				),
			},
		)
	}
	switch {
	case s.Jitter < 0:
		errs = append(errs, &store.FieldError{Field: "Schedule.Jitter", Reason: "is negative"})
	case s.Every > 0 && s.Jitter >= s.Every:
		errs = append(errs, &store.FieldError{Field: "Schedule.Jitter", Reason: "is not shorter than Every"})
	}
	return store.JoinFields(errs...)
}

// String says when runs start: "every 10s", or the expression with its zone.
func (s *Schedule) String() string {
	switch {
	case s.Every > 0:
		return "every " + s.Every.String()
	case s.Zone == "":
		return s.Cron + " UTC"
	}
	return s.Cron + " " + s.Zone
}
