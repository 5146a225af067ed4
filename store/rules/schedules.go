package rules

import (
	"time"

	"github.com/rollcall-go/rollcall/store/bounds"
)

// PostponedUntil returns when Promote returns a job again that has had a problem since then.
func PostponedUntil(since, now time.Time) time.Time {
	return now.Add(min(max(now.Sub(since), bounds.PostponeFirst), bounds.PostponeLast))
}
