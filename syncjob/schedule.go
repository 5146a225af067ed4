package syncjob

import (
	"errors"
	"time"

	"github.com/rollcall-go/rollcall/internal/timetable"
	"github.com/rollcall-go/rollcall/store"
	"github.com/rollcall-go/rollcall/syncjob/schedule"
)

// calendar is the stored form of the due times of a schedule. If it changes, the next due time is
// computed again.
type calendar struct {
	Every time.Duration `json:"every,omitempty"`
	Cron  string        `json:"cron,omitempty"`
	Zone  string        `json:"zone,omitempty"`
}

// recurrence is the stored form of a schedule. It is a part of the definition.
type recurrence struct {
	calendar
	Overlap schedule.Overlap `json:"overlap,omitempty"`
	Jitter  time.Duration    `json:"jitter,omitempty"`
}

func newRecurrence(s *schedule.Schedule) *recurrence {
	if s == nil {
		return nil
	}
	return &recurrence{
		calendar: calendar{Every: s.Every, Cron: s.Cron, Zone: s.Zone},
		Overlap:  s.Overlap,
		Jitter:   s.Jitter,
	}
}

// schedule is the opposite of newRecurrence. FireOnCreate is not kept: it holds for the first
// declaration only.
func (r *recurrence) schedule() *schedule.Schedule {
	return &schedule.Schedule{Every: r.Every, Cron: r.Cron, Zone: r.Zone, Overlap: r.Overlap, Jitter: r.Jitter}
}

// errNeverAgain is why a due job is not fired: it has no next due time.
var errNeverAgain = errors.New("its schedule is never due again")

// next returns the first due time after both the last one and now. The last one is zero for a job
// that was never due. The result is zero if there is none that a store can keep.
func (r *recurrence) next(due, now time.Time) (time.Time, error) {
	times, errs := timetable.New("Schedule.", r.Every, r.Cron, r.Zone, time.Time{})
	if err := store.JoinFields(errs...); err != nil {
		return time.Time{}, err // of a newer version, or of another machine's time zones
	}
	if due.IsZero() || r.Overlap == schedule.OverlapAfterCompletion {
		due = now.Truncate(time.Millisecond)
	}
	after := now
	if due.After(now) {
		after = due
	}
	next := times.Next(due, after)
	kept := store.ValidateTime("Next", next) == nil
	if !kept || !next.After(after) {
		return time.Time{}, nil
	}
	return next, nil
}

// zone returns the zone of the calendar. It is UTC if there is none, or if this machine does not
// know it.
func (r *recurrence) zone() *time.Location {
	times, errs := timetable.New("Schedule.", r.Every, r.Cron, r.Zone, time.Time{})
	if len(errs) > 0 {
		return time.UTC
	}
	return times.Zone()
}

// rest returns the shortest time from the end of a run to the next due time.
func (r *recurrence) rest() time.Duration {
	if r.Overlap == schedule.OverlapAfterCompletion {
		return r.Every
	}
	return 0
}

// waits reports whether a due time waits for the end of the active run.
func (r *recurrence) waits() bool { return r.Overlap != "" && r.Overlap != schedule.OverlapSkip }
