package rules

import (
	"slices"
	"time"

	"github.com/rollcall-go/rollcall/store"
	"github.com/rollcall-go/rollcall/store/bounds"
	"github.com/rollcall-go/rollcall/store/statuses"
)

// KeepLost adds a record to those of a partition, newest first, and drops those that are too many
// or too old.
func KeepLost(lost []store.LostSession, l store.LostSession) []store.LostSession {
	l.Worker.Routes, l.Worker.Status = nil, statuses.WorkerActive
	lost = append([]store.LostSession{l}, lost[:min(len(lost), bounds.MaxLost-1)]...)
	return StillLost(lost, l.Ended)
}

// StillLost lists the records that are not too old.
func StillLost(lost []store.LostSession, now time.Time) []store.LostSession {
	return slices.DeleteFunc(slices.Clone(lost), func(l store.LostSession) bool {
		return now.Sub(l.Ended) > bounds.LostKept
	})
}
