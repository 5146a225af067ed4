package redisstore

import "github.com/rollcall-go/rollcall/store"

// verdictLetters are what the settle script calls the verdicts.
var verdictLetters = map[store.Verdict]string{
	store.VerdictSuccess: "S", store.VerdictFail: "F", store.VerdictCancel: "C", store.VerdictRetry: "R", store.VerdictSnooze: "R",
	store.VerdictRelease: "L", store.VerdictStopRun: "Q", store.VerdictBegin: "B", store.VerdictSkip: "K", store.VerdictAbort: "K",
	store.VerdictHookDone: "H",
}
