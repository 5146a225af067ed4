package store

import (
	"context"
	"fmt"

	"github.com/rollcall-go/rollcall/internal/printable"
)

// Repairer finds what is stored in contradiction to itself and mends it. Nothing that the library
// does leaves such damage; hands, a server that lost writes, and defects do.
type Repairer interface {
	// Repair looks at the runs of a job that are kept, at the job's own records, and at what of
	// its partition belongs to nobody, and mends what it finds unless p.DryRun is set. It
	// may be called at any time, beside running work: what is merely in motion is left alone, and
	// runs whose counts never stood still while they were counted are listed as moving.
	// Each mend is one atomic step that first makes sure that the damage is still
	// there, so that repeats and concurrent calls are harmless. It takes time in proportion to what the job, and
	// unless p.Quick is set the partition, holds. [ErrJobNotFound] when nothing is stored of the job; [ErrRunNotFound].
	Repair(ctx context.Context, p RepairParams) (RepairReport, error)
}

// RepairParams says what to look at.
type RepairParams struct {
	Job    string
	Run    int64 // only this run and what it depends on; 0 for all that are kept
	DryRun bool  // find, and mend nothing
	// Quick leaves out what takes long: reading every stored task, and looking for records that
	// nothing names.
	Quick bool
}

// Validate returns a [*FieldError] for each bad field, joined.
func (p *RepairParams) Validate() error {
	var f faults
	f.check(ValidateJobName(p.Job), "")
	f.check(within("Run", p.Run, 0, MaxNumber), "")
	return f.err()
}

// RepairReport lists what was found, in the order in which it was, or would be, mended.
type RepairReport struct {
	Damage []Damage
	// Moving are runs whose counters could not be judged: other calls changed them all the
	// time. Pause them, and repeat.
	Moving []RunID
}

// Damage is one inconsistency in the stored data.
type Damage struct {
	Type   DamageType `json:"type"`
	Run    int64      `json:"run,omitempty"` // number of the run; 0 if it is not about one
	What   string     `json:"what"`          // names the record
	Detail string     `json:"detail"`        // what is wrong with it, and what mends it
	Mended bool       `json:"mended"`        // false in a dry run, or if it was gone before it could be fixed
}

// String returns one line of text; characters that would break the line are escaped.
func (d Damage) String() string {
	about := ""
	if d.Run != 0 {
		about = fmt.Sprintf(" of run %d", d.Run)
	}
	return printable.Text(fmt.Sprintf("%s: %s%s: %s", d.Type, d.What, about, d.Detail))
}

// DamageType says what is wrong.
type DamageType string

// The types of damage.
const (
	DamageRecord  DamageType = "record"  // a record is missing, of another type, or has a field that cannot be read
	DamageTask    DamageType = "task"    // a stored task cannot be decoded: it fails
	DamageCounts  DamageType = "counts"  // counters disagree with what is stored
	DamageIndex   DamageType = "index"   // a record is missing in the index by which it is found
	DamageSession DamageType = "session" // a session holds tasks and has no lease that could end
	DamageHook    DamageType = "hook"    // a hook is due, and its task is lost
	DamageState   DamageType = "state"   // a run should have ended
	DamageOrphan  DamageType = "orphan"  // a record belongs to a run or session that is gone
)
