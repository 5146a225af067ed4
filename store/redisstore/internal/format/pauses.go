package format

import (
	"encoding/json"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/rollcall-go/rollcall/store"
)

// pauseVersion is the field of the version among the pauses of a partition.
const pauseVersion = "version"

// PauseField is the field of a pause: its scope in the form of a route, each part of which may be
// empty.
func PauseField(s store.PauseScope) string {
	return RouteName(store.Route(s))
}

// pauseNote is what is kept of a pause as JSON, behind its time.
type pauseNote struct {
	By     string `json:"by,omitempty"`
	Reason string `json:"reason,omitempty"`
}

// PauseNote encodes who paused a scope, and why.
func PauseNote(p *store.Pause) string {
	b, _ := json.Marshal(pauseNote{By: p.By, Reason: p.Reason}) // two strings: it cannot fail
	return string(b)
}

// ParsePauses reads what is paused in a partition. A pause whose time or note cannot be read holds
// all the same: it is listed without them.
func ParsePauses(all map[string]string) store.PauseSet {
	var set store.PauseSet
	for field, value := range all {
		r, ok := ParseRoute(field)
		p := store.Pause{Scope: store.PauseScope(r)}
		if !ok || p.Validate() != nil {
			continue // the version, or nothing of ours
		}
		since, text, _ := strings.Cut(value, " ")
		if ms, err := strconv.ParseInt(since, 10, 64); err == nil && ms > 0 {
			p.Since = time.UnixMilli(ms).UTC()
		}
		var note pauseNote
		if json.Unmarshal([]byte(text), &note) == nil {
			p.By, p.Reason = note.By, note.Reason
		}
		set.Pauses = append(set.Pauses, p)
	}
	slices.SortFunc(set.Pauses, func(a, b store.Pause) int { return a.Scope.Compare(b.Scope) })
	if len(all) > 0 {
		set.Version = parsePauseVersion(all[pauseVersion])
	}
	return set
}

// parsePauseVersion reads the version of pauses. One that cannot be read is 1, as in the scripts.
func parsePauseVersion(s string) int64 {
	n, err := strconv.ParseInt(s, 10, 64)
	if err != nil || n < 1 {
		return 1
	}
	return n
}
