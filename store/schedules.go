package store

import (
	"context"
	"time"
	"unicode/utf8"
)

// Schedules fires the runs of periodic jobs. When a job is due is computed above the store, as only
// that knows calendars; whether the time has come, and who of many fires it, is decided here: by the store's clock, and
// by comparing what the caller has read with what is stored.
//
// [Keeper].Promote tells which jobs are due, and keeps that from other callers for a moment, so that of many
// processes one fires. A due job that nobody fires is told again.
type Schedules interface {
	// FireRun begins the run that a periodic job is due for, in one step with moving its due time, so that
	// each due time fires at most once (promise P8). A job without a due time, since it is new, was enabled again or got another
	// schedule, gets p.Next and begins nothing.
	//
	// While the newest run of the job is active, the due time is passed over, or with p.Wait left as it is
	// until that run has ended. A repeat after the run was begun finds it and changes nothing.
	// [ErrJobNotFound]; [ErrJobDisabled] for a job that was disabled.
	FireRun(ctx context.Context, p FireParams) (FireReply, error)

	// PostponeJob puts off a periodic job that is due and cannot be fired, as its next due time cannot be
	// computed, and keeps why in its record. Promote tells of it again after as long as it has had a problem
	// already, but at least [PostponeFirst] and at most [PostponeLast]: so it costs little, and what was mended
	// is found. Its due time stands. Firing, disabling and another definition end the problem; the last makes
	// Promote tell of the job at once. A job that is not due, is not periodic or is disabled stays as it is,
	// and Promote tells of none that has no schedule in force. A repeat puts it off anew, from the same
	// beginning. [ErrJobNotFound].
	PostponeJob(ctx context.Context, p PostponeParams) error
}

// Limits of how long a job that cannot be started is postponed.
const (
	PostponeFirst = time.Second
	PostponeLast  = time.Minute
)

// MaxProblemLen is the longest reason why a job cannot be fired, in bytes.
const MaxProblemLen = 1 << 10

// PostponeParams puts off a job.
type PostponeParams struct {
	Job     string
	Problem string // why it cannot be fired: up to MaxProblemLen bytes of UTF-8
}

// Validate returns a [*FieldError] for each bad field, joined.
func (p *PostponeParams) Validate() error {
	var f faults
	f.check(ValidateJobName(p.Job), "")
	f.add(p.Problem == "", "Problem", "is empty")
	f.add(len(p.Problem) > MaxProblemLen, "Problem", "is longer than 1 KiB")
	f.add(!utf8.ValidString(p.Problem), "Problem", "is not valid UTF-8")
	return f.err()
}

// PostponedUntil returns when Promote returns a job again that has had a problem since then.
// Implementations call it.
func PostponedUntil(since, now time.Time) time.Time {
	return now.Add(min(max(now.Sub(since), PostponeFirst), PostponeLast))
}

// FireParams are the parameters of FireRun.
type FireParams struct {
	// Start is the run to start; its token is derived from the due time.
	Start StartParams
	// Due and Changes are the due time and the number of changes in the job's record, as the caller
	// has read them.
	Due     time.Time
	Changes int64
	// Next is the due time after this one; it is later than the store's clock. Delay is added to
	// the time when the job starts then.
	Next  time.Time
	Delay time.Duration
	// Wait keeps the due time while the newest run is active, instead of skipping it.
	Wait bool
	// Rest is the shortest time between the end of the newest run and the start of the next; an
	// earlier due time is postponed. It implies Wait.
	Rest time.Duration
	// InReadOnly allows the start while the partition is read-only.
	InReadOnly bool
}

// Validate returns a [*FieldError] for each bad field, joined. The token of the run is derived,
// whatever Start has.
func (p *FireParams) Validate() error {
	var f faults
	start := p.Start
	start.Token, start.Due = FireToken(p.Due), time.Time{}
	f.check(start.Validate(), "")
	f.check(validateDue("Due", p.Due), "")
	f.check(within("Changes", p.Changes, 0, MaxNumber), "")
	f.check(validateDue("Next", p.Next), "")
	f.add(p.Next.IsZero(), "Next", "is missing")
	f.add(p.Delay < 0, "Delay", "is negative")
	f.add(p.Rest < 0, "Rest", "is negative")
	return f.err()
}

// FireVerdict says what FireRun did.
type FireVerdict string

// The verdicts of FireRun.
const (
	FireStarted FireVerdict = "started" // the run was started, by this call or an earlier one
	FireSkipped FireVerdict = "skipped" // a run is active: the due time was skipped
	FireWaiting FireVerdict = "waiting" // a run is active, or the partition is read-only: the due time stays
	FireMoved   FireVerdict = "moved"   // the job is due at another time, or was changed: read it again
	FireEarly   FireVerdict = "early"   // the store's clock has not reached the due time, or is past Next
)

// FireReply is the result of FireRun.
type FireReply struct {
	Verdict FireVerdict
	Run     RunID     // that was started, or that is active; zero otherwise
	Now     time.Time // the store's clock
}

// FireToken returns the token of the run that a due time starts.
func FireToken(due time.Time) string { return "s/" + due.UTC().Format("20060102T150405.000") }
