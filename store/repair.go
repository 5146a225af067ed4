package store

import (
	"context"
	"fmt"

	"github.com/rollcall-go/rollcall/store/bounds"
	"github.com/rollcall-go/rollcall/store/damage"

	"github.com/rollcall-go/rollcall/internal/printable"
)

// Repairer finds and fixes inconsistent data. The library itself leaves no such damage; manual
// changes, a server that lost writes, and bugs can.
type Repairer interface {
	// Repair checks the runs of a job that have not expired, the job's own records, and records of its
	// partition that belong to no run or session. It fixes the damage that it finds, unless p.DryRun
	// is set. It may be called at any time, while tasks run: changes in progress are not damage, and
	// runs whose counters changed all the time are listed as Moving. Each fix is one atomic step that
	// first checks that the damage is still there, so repeats and concurrent calls are harmless. Its
	// time grows with the data of the job and, unless p.Quick is set, of the partition. Errors:
	// [ErrJobNotFound] if nothing is stored of the job; [ErrRunNotFound].
	Repair(ctx context.Context, p RepairParams) (RepairReport, error)
}

// RepairParams says what to check.
type RepairParams struct {
	Job    string
	Run    int64 // only this run and what it depends on; 0 means all runs that are kept
	DryRun bool  // find, but fix nothing
	// Quick leaves out slow checks: reading every stored task, and searching for records that nothing
	// names.
	Quick bool
}

// Validate returns a [*FieldError] for each bad field, joined.
func (p *RepairParams) Validate() error {
	var f faults
	f.check(ValidateJobName(p.Job), "")
	f.check(within("Run", p.Run, 0, bounds.MaxNumber), "")
	return f.err()
}

// RepairReport lists what was found, in the order in which it was, or would be, fixed.
type RepairReport struct {
	Damage []Damage
	// Moving has the runs whose counters could not be checked, because other calls changed them all
	// the time. Pause these runs, and repeat.
	Moving []RunID
}

// Damage is one inconsistency in the stored data.
type Damage struct {
	Type   damage.Type `json:"type"`
	Run    int64       `json:"run,omitempty"` // number of the run; 0 if it is not about a run
	What   string      `json:"what"`          // names the record
	Detail string      `json:"detail"`        // what is wrong with it, and what fixes it
	Mended bool        `json:"mended"`        // false in a dry run, or if the damage was gone before it could be fixed
}

// String returns one line of text; characters that would break the line are escaped.
func (d Damage) String() string {
	about := ""
	if d.Run != 0 {
		about = fmt.Sprintf(" of run %d", d.Run)
	}
	return printable.Text(fmt.Sprintf("%s: %s%s: %s", d.Type, d.What, about, d.Detail))
}
