package redisstore

import "github.com/rollcall-go/rollcall/store"

// verdictLetters are what the settle script calls the verdicts.
var verdictLetters = map[store.Verdict]string{
	store.VerdictSuccess: "S", store.VerdictFail: "F", store.VerdictCancel: "C", store.VerdictRetry: "R", store.VerdictSnooze: "R",
	store.VerdictRelease: "L", store.VerdictStopRun: "Q", store.VerdictBegin: "B", store.VerdictSkip: "K", store.VerdictAbort: "K",
	store.VerdictHookDone: "H",
}

// verdictOf is the verdict to apply. A hook that was settled like a task begins
// or ends its run all the same, and one that was cancelled is given back, so
// that a run never waits for a hook that nobody holds.
func verdictOf(o *store.Outcome) store.Verdict {
	pre, post := o.Lease.Lane.Route.Kind == store.KindPreJob, o.Lease.Lane.Route.Kind == store.KindPostJob
	switch v := o.Verdict; {
	case pre && v == store.VerdictSuccess:
		return store.VerdictBegin
	case pre && v == store.VerdictFail:
		return store.VerdictAbort
	case post && (v == store.VerdictSuccess || v == store.VerdictFail):
		return store.VerdictHookDone
	case pre && v == store.VerdictHookDone, post && (v == store.VerdictBegin || v == store.VerdictSkip || v == store.VerdictAbort):
		return store.VerdictRelease
	case (pre || post) && (v == store.VerdictCancel || v == store.VerdictStopRun):
		return store.VerdictRelease
	default:
		return v
	}
}
