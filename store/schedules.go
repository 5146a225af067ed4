package store

import (
	"context"
	"fmt"
	"time"
	"unicode/utf8"

	"github.com/rollcall-go/rollcall/store/bounds"
	"github.com/rollcall-go/rollcall/store/verdicts"
)

// Schedules starts the runs of periodic jobs. The caller computes due times, because a store knows
// no calendars. The store decides whether the time has come, by its own clock, and which of several
// callers starts the run, by comparing what the caller has read with what is stored.
//
// Keeper.Promote returns the jobs that are due. For [FireClaim] it does not return them to other
// callers, so usually one process starts them. A job that no one starts is returned again.
type Schedules interface {
	// FireRun starts the run of a periodic job that is due, and moves its due time in the same
	// step. So each due time starts at most one run (promise P8). A job without a due time (it is
	// new, was enabled again or got another schedule) gets the first of p.Next, and no run starts.
	//
	// While the newest run of the job is active, the due time is skipped or, with p.Wait, kept until
	// that run has ended. If several verdicts are true, FireRun returns the first of moved, early,
	// waiting and skipped. A repeat finds the started run and changes nothing. There is one exception:
	// if the clock went back and the job is due at that time again, the job gets the first of p.Next.
	// Errors: [ErrJobNotFound], [ErrJobDisabled].
	FireRun(ctx context.Context, p FireParams) (FireReply, error)

	// PostponeJob postpones a periodic job that is due but cannot be started, because its next due
	// time cannot be computed. It stores the reason in the job's record; the due time stays. Promote
	// returns the job again after the time that it has had the problem so far, but at least
	// [bounds.PostponeFirst] and at most [bounds.PostponeLast]. The problem ends when a run is
	// started, the job is disabled, or its definition changes; then Promote returns it at once.
	// PostponeJob changes nothing for a job that is not due, not periodic or disabled. Promote returns
	// no job without a schedule. A repeat postpones again, counted from the same beginning. Error:
	// [ErrJobNotFound].
	PostponeJob(ctx context.Context, p PostponeParams) error
}

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
	f.add(len(p.Problem) > bounds.MaxProblemLen, "Problem", "is longer than 1 KiB")
	f.add(!utf8.ValidString(p.Problem), "Problem", "is not valid UTF-8")
	return f.err()
}

// FireParams are the parameters of FireRun.
type FireParams struct {
	// Start is the run to start; its token is derived from the due time.
	Start StartParams
	// Due and Changes are the due time and the number of changes in the job's record, as the caller
	// has read them.
	Due     time.Time
	Changes int64
	// Next are due times after this one, in order. The first that is later than the store's clock is
	// the next due time of the job: the caller cannot know how long its call will take. Delay is added
	// to the time when the job starts then.
	Next  []time.Time
	Delay time.Duration
	// Wait keeps the due time while the newest run is active, instead of skipping it.
	Wait bool
	// Rest is the shortest time between the end of the newest run and the start of the next; an
	// earlier due time is postponed. It implies Wait.
	Rest time.Duration
	// InReadOnly allows the start in read-only mode. Other pauses do not matter: the run begins and
	// waits.
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
	f.check(within("Changes", p.Changes, 0, bounds.MaxNumber), "")
	p.validateNext(&f)
	f.add(p.Delay < 0, "Delay", "is negative")
	f.add(p.Rest < 0, "Rest", "is negative")
	return f.err()
}

func (p *FireParams) validateNext(f *faults) {
	f.add(len(p.Next) == 0, "Next", "is missing")
	f.add(len(p.Next) > bounds.MaxDueTimes, "Next", "are more than bounds.MaxDueTimes")
	for i, next := range p.Next {
		field := fmt.Sprintf("Next[%d]", i)
		f.check(validateDue(field, next), "")
		f.add(next.IsZero(), field, "is missing")
		f.add(i > 0 && !next.After(p.Next[i-1]), field, "is not after the one before")
	}
}

// Following returns the first of Next that is later than the store's clock; zero if there is none.
func (p *FireParams) Following(now time.Time) time.Time {
	for _, next := range p.Next {
		if next.After(now) {
			return next
		}
	}
	return time.Time{}
}

// FireReply is the result of FireRun.
type FireReply struct {
	Verdict verdicts.Fire
	Run     RunID     // that was started, or that is active; zero otherwise
	Now     time.Time // the store's clock
}

// FireToken returns the token of the run that a due time starts.
func FireToken(due time.Time) string { return "s/" + due.UTC().Format("20060102T150405.000") }
