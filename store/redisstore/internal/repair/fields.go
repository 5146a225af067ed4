package repair

import (
	"cmp"
	"encoding/json"
	"fmt"
	"strconv"
	"strings"

	"github.com/rollcall-go/rollcall/store"
	"github.com/rollcall-go/rollcall/store/redisstore/internal/format"
	"github.com/rollcall-go/rollcall/store/statuses"
)

// This file knows, as does record.go, which fields a stored hash must have. It also knows what
// replaces a field that cannot be read.

// sessionFixes returns the fixes for a session's fields that cannot be read. Parts that are only
// shown to people become empty. A field that is neither its own nor a delivery is removed.
func sessionFixes(id string, h map[string]string) []fix {
	var fixes []fix
	for name, v := range h {
		switch name {
		case "fetch", "settle", "cancel":
		case "status":
			if s := format.WorkerStatus(format.ParseWorkerStatus(v)); s != v {
				fixes = append(fixes, fix{name, v, s, "the status of its worker cannot be read: it is active"})
			}
		case "info":
			if _, err := format.ParseWorker(v); err != nil {
				fixes = append(fixes, fix{name, v, "{}", "its description cannot be read: it is emptied"})
			}
		case "busy":
			if format.ParseBusy(v, new(store.SessionRecord)) != nil {
				fixes = append(fixes, fix{name, v, "{}", "what it says to run cannot be read: it is emptied"})
			}
		default:
			if _, ok := format.ParseLeaseField(id, name); !ok {
				fixes = append(fixes, fix{name, v, "", fmt.Sprintf("field %q is no delivery: it is removed", name)})
			}
		}
	}
	return fixes
}

// jobFixes returns the fixes for a job's fields that cannot be read.
func jobFixes(h map[string]string) []fix {
	var fixes []fix
	for _, name := range []string{"revision", "run", "created", "due", "acts", "changes", "changed", "skipped", "lastskip", "problemsince"} {
		fixes = append(fixes, numberFix(h, name, "0", false)...)
	}
	return fixes
}

// The values for lost fields such as the retention of a run.
const (
	repairedRetention = "86400000" // ms
	repairedCap       = "100"
	repairedMaxLen    = "1048576"
)

// runFixes returns the fixes for a run's fields that cannot be read, without its counters.
func runFixes(id string, h map[string]string) []fix {
	var fixes []fix
	n, _ := strconv.ParseInt(id, 10, 64)
	created := strconv.FormatInt(n/1000, 10) // numbers are the time in µs
	fixes = append(fixes, numberFix(h, "created", created, true)...)
	fixes = append(fixes, numberFix(h, "changed", cmp.Or(h["ended"], created), true)...)
	fixes = append(fixes, numberFix(h, "retention", repairedRetention, true)...)
	fixes = append(fixes, numberFix(h, "failcap", repairedCap, true)...)
	fixes = append(fixes, numberFix(h, "maxlen", repairedMaxLen, true)...)
	fixes = append(fixes, numberFix(h, "weight", "1", true)...)
	const numbers = "started ended hookpassed stopbegan signalled sealafter deadline rootwhen redone"
	for _, name := range strings.Fields(numbers) {
		fixes = append(fixes, numberFix(h, name, "", false)...)
	}
	fixes = append(fixes, onFailureFix(h)...)
	for name, v := range h {
		if strings.HasPrefix(name, "v:") || strings.HasPrefix(name, "c:") {
			fixes = append(fixes, numberFix(h, name, "", false)...)
		}
		if name == "labels" && json.Unmarshal([]byte(v), new(map[string]string)) != nil {
			fixes = append(fixes, fix{name, v, "", "its labels cannot be read: they are removed"})
		}
		if name == "headers" && v != "" && json.Unmarshal([]byte(v), new(map[string]string)) != nil {
			fixes = append(fixes, fix{name, v, "", "its headers cannot be read: they are removed"})
		}
	}
	switch state := statuses.Status(h["state"]); state {
	case statuses.Starting,
		statuses.Running,
		statuses.Stopping,
		statuses.Succeeded,
		statuses.Failed,
		statuses.Stopped,
		statuses.Skipped:
	case statuses.Finishing:
		if final := statuses.Status(h["finalstatus"]); final != statuses.Succeeded && final != statuses.Failed {
			set := string(statuses.Failed)
			if h["failed"] == "" || h["failed"] == "0" {
				set = string(statuses.Succeeded)
			}
			fixes = append(
				fixes,
				fix{
					"finalstatus",
					h["finalstatus"],
					set,
					"its final status cannot be read: by its counts it is " + set,
				},
			)
		}
	default:
		// It is not known which tasks may run, so none do. But the run is not done either.
		fixes = append(
			fixes, fix{"state", h["state"], string(statuses.Stopping), "its state cannot be read: it is stopped"},
			fix{"reason", h["reason"], "its state was lost", "it is stopped since its state was lost"},
		)
	}
	return fixes
}

// onFailureFix lets a run hold of which it is not known whether it does.
func onFailureFix(h map[string]string) []fix {
	v := h["onfailure"]
	if store.OnFailure(v).Known() {
		return nil
	}
	return []fix{{"onfailure", v, string(store.OnFailureHold), "what it does on failures cannot be read: it holds"}}
}
