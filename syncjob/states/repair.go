package states

import (
	"fmt"
	"strings"

	"github.com/rollcall-go/rollcall/internal/printable"
	"github.com/rollcall-go/rollcall/store"
)

// Damage is one inconsistency in the stored data; see syncjob.Manager.Repair.
type Damage = store.Damage

// RepairReport is what a repair found.
type RepairReport struct {
	Damage []Damage `json:"damage"` // in the order in which it was, or would be, fixed
	// Moving has the numbers of runs whose counters could not be checked, because tasks changed
	// them all the time. Pause these runs, and repeat.
	Moving []int64 `json:"moving"`
}

// Sound reports that everything was checked and nothing was found.
func (r RepairReport) Sound() bool { return len(r.Damage)+len(r.Moving) == 0 }

// String returns sentences, one a line, each made syncjob.Printable.
func (r RepairReport) String() string {
	if r.Sound() {
		return "nothing is damaged\n"
	}
	var b strings.Builder
	for _, d := range r.Damage {
		done := "found"
		if d.Mended {
			done = "mended"
		}
		b.WriteString(printable.Text(fmt.Sprintf("%s %s", done, d)) + "\n")
	}
	for _, n := range r.Moving {
		fmt.Fprintf(&b, "run %d changes all the time: pause it, and repeat\n", n)
	}
	return b.String()
}
