package syncjob

import (
	"context"
	"fmt"
	"iter"
	"strconv"
	"strings"
	"time"

	"github.com/rollcall-go/rollcall/store"
	"github.com/rollcall-go/rollcall/store/bounds"
	"github.com/rollcall-go/rollcall/store/statuses"
	"github.com/rollcall-go/rollcall/syncjob/states"
)

// RunsOptions select runs to list. The zero value selects all that are kept.
type RunsOptions struct {
	Statuses []states.Status   // only runs in one of these; see [ActiveStatuses] and [FinalStatuses]
	Job      string            // only runs of this job
	Prefix   string            // only runs of jobs whose name begins so
	Set      string            // only runs of this handler set
	Labels   map[string]string // only runs that have all of these
	Held     bool              // only runs that are held: see [states.Run.Held]
	// Still selects active runs that have not moved for this long: see [states.Run.Moved]. A run that
	// is paused, or whose tasks all run for long, stands still like one that lacks a worker;
	// [Run.Explain] tells them apart. Zero selects all.
	Still time.Duration
	// Oldest lists those first that changed least recently. Defaults to the other way round.
	Oldest bool
	// Details asks for what may be large: Args, Headers, Counters, Result and Reporting of the states.
	// Defaults to leaving them out.
	Details bool
	// After is the [states.Run.Cursor] of the last run of the page before: the sequence goes on behind
	// it. Use the same options. Defaults to the beginning.
	After string
	// Limit is the largest number of runs to yield. Defaults to all.
	Limit int
}

// ActiveStatuses and FinalStatuses are all statuses of runs that have not ended, and of runs that
// have.
var (
	ActiveStatuses = statuses.Active
	FinalStatuses  = statuses.Final
)

// runPage is how many runs of a partition are looked at in one call.
const runPage = 200

func (o *RunsOptions) params() (store.RunsParams, error) {
	p := store.RunsParams{
		Statuses: o.Statuses, Job: o.Job, Prefix: o.Prefix, Set: o.Set, Labels: o.Labels, Held: o.Held, Still: o.Still,
		Oldest: o.Oldest, Details: o.Details, Limit: runPage,
	}
	if o.Prefix == "" && o.Set == "" && len(o.Labels) == 0 && !o.Held && o.Limit > 0 {
		p.Limit = min(p.Limit, o.Limit)
	}
	var bad error
	if o.Limit < 0 {
		bad = &FieldError{Field: "Limit", Reason: "is negative"}
	}
	return p, store.JoinFields(store.RenameFields(p.Validate(), func(field string) string {
		if field == "Name" {
			return "Job"
		}
		return field
	}), bad)
}

// Runs yields runs of all jobs, the one that changed last first: see [states.Run.Changed]. Of one
// job that is the newest run first. Nil options mean all that are kept.
//
// It reads pages of up to 200 runs, or about 1 MiB, of each partition while the caller consumes
// them; each costs the same, whatever the number of runs and tasks. If Prefix, Set, Labels or Held
// select few, many pages are read. Each state is read in one step, but without Details, which would
// make it large. The sequence is no snapshot: a run that changes meanwhile is in another place
// then, so it may be left out, or with Oldest come twice; one that does not change comes once.
//
// If some partitions do not answer, it yields the runs of the others, then a [*PartialError]. Any
// error ends the sequence. Other errors: a [*FieldError], before any run.
func (m *Manager) Runs(ctx context.Context, opts *RunsOptions) iter.Seq2[states.Run, error] {
	var o RunsOptions
	if opts != nil {
		o = *opts
	}
	return func(yield func(states.Run, error) bool) {
		p, err := o.params()
		after, bad := parseRunCursor(o.After)
		if err = store.JoinFields(err, bad); err != nil {
			yield(states.Run{}, fmt.Errorf("list runs: %w", err))
			return
		}
		lists := make(map[int]pages[runCursor])
		for partition := range m.store.Partitions() {
			if o.Job != "" && partition != store.PartitionOf(o.Job, m.store.Partitions()) {
				continue
			}
			p.Partition, p.After = partition, after.before(partition, o.Oldest)
			lists[partition] = &runList{m.store, p}
		}
		yielded := 0
		for c, err := range merge(ctx, m.poll(), lists, func(a, b runCursor) bool { return a.isBefore(b, o.Oldest) }) {
			if err != nil {
				yield(states.Run{}, fmt.Errorf("list runs: %w", err))
				return
			}
			if yielded++; !yield(listedRun(c.Run, c.String(), time.Now()), nil) || yielded == o.Limit {
				return
			}
		}
	}
}

// runList reads the runs of one partition.
type runList struct {
	store store.Runs
	p     store.RunsParams
}

func (l *runList) next(ctx context.Context) (runs []runCursor, last bool, err error) {
	page, err := l.store.ListRuns(ctx, l.p)
	for _, e := range page.Runs {
		runs = append(runs, runCursor{e, l.p.Partition})
	}
	l.p.After = page.Next
	return runs, page.Next == (store.Place{}), err
}

// runCursor is a run and where it is among those of all partitions: of equals, those of the lower
// partition come first.
type runCursor struct {
	store.RunEntry
	partition int
}

func (c runCursor) isBefore(o runCursor, oldest bool) bool {
	return c.Place.Compare(o.Place, oldest) < 0
}

// before returns the place in a partition behind which the runs behind the cursor are.
func (c runCursor) before(partition int, oldest bool) store.Place {
	place := c.Place
	if place != (store.Place{}) && partition > c.partition {
		if place.Number++; oldest {
			place.Number = max(place.Number-2, 0)
		}
	}
	return place
}

func (c runCursor) String() string {
	return fmt.Sprintf("%d.%d.%d", c.Place.Changed, c.Place.Number, c.partition)
}

// parseRunCursor reads a cursor; the empty one stands before everything.
func parseRunCursor(text string) (c runCursor, err error) {
	if text == "" {
		return c, nil
	}
	var n [3]int64
	parts := strings.Split(text, ".")
	for i := range n {
		if len(parts) == len(n) && err == nil {
			n[i], err = strconv.ParseInt(parts[i], 10, 64)
		}
	}
	c.Place, c.partition = store.Place{Changed: n[0], Number: n[1]}, int(n[2])
	if check := (store.RunsParams{After: c.Place, Limit: 1}); err != nil || c.String() != text ||
		check.Validate() != nil ||
		n[1] < 1 ||
		n[1] > bounds.MaxNumber {
		return c, &FieldError{Field: "After", Reason: "is no cursor of a run"}
	}
	return c, nil
}
