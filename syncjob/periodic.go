package syncjob

import (
	"context"
	"fmt"
	"time"

	"github.com/rollcall-go/rollcall/syncjob/schedule"
	"github.com/rollcall-go/rollcall/syncjob/states"
)

// maxNextRuns bounds one call of [Manager.NextRuns].
const maxNextRuns = 1000

// NextRuns computes the next n due times of a periodic job, earliest first, in the zone of the
// schedule; n is 1 to 1000. Jitter is left out, and each run is assumed to end before the next is
// due. With [schedule.OverlapAfterCompletion] only the first is known. There are none for a job
// without a schedule, for a disabled job, and for a short time until a worker has read the
// definition. There are fewer than n for a schedule that ends. Errors: [ErrDueUnknown] if the
// workers, or this process, cannot compute them; [ErrJobNotFound].
func (m *Manager) NextRuns(ctx context.Context, job string, n int) ([]time.Time, error) {
	if n < 1 || n > maxNextRuns {
		return nil, fmt.Errorf(
			"next runs: %w", &FieldError{Field: "N", Reason: fmt.Sprintf("is not between 1 and %d", maxNextRuns)},
		)
	}
	rec, err := m.job(ctx, job)
	if err != nil {
		return nil, fmt.Errorf("next runs: %w", err)
	}
	switch {
	case rec.Problem != "":
		return nil, fmt.Errorf("next runs of job %q: %w: %s", job, ErrDueUnknown, rec.Problem)
	case rec.Type != states.JobPeriodic || rec.Due.IsZero():
		return nil, nil
	}
	d, err := scheduled(rec)
	if err != nil {
		return nil, fmt.Errorf("next runs of job %q: %w: %w", job, ErrDueUnknown, err)
	}
	zone := d.Schedule.zone()
	times := []time.Time{rec.Due.In(zone)}
	for len(times) < n && d.Schedule.Overlap != schedule.OverlapAfterCompletion {
		last := times[len(times)-1]
		next, err := d.Schedule.next(last, last)
		switch {
		case err != nil:
			return nil, fmt.Errorf("next runs of job %q: %w: %w", job, ErrDueUnknown, err)
		case next.IsZero():
			return times, nil
		}
		times = append(times, next.In(zone))
	}
	return times, nil
}

// TriggerNow starts a run of a periodic job now. The due times of the job do not change; the run
// has no due time. Errors: [ErrJobExists], with the active run, while a run is active, whatever the
// overlap policy; [ErrJobNotFound], also for jobs without a schedule; [ErrJobDisabled].
func (m *Manager) TriggerNow(ctx context.Context, job string) (*Run, error) {
	rec, err := m.job(ctx, job)
	if err == nil && rec.Type != states.JobPeriodic {
		err = fmt.Errorf("job %q has no schedule: %w", job, ErrJobNotFound)
	}
	if err != nil {
		return nil, fmt.Errorf("trigger: %w", err)
	}
	return m.startStored(ctx, rec)
}
