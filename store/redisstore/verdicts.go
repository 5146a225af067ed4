package redisstore

import "github.com/rollcall-go/rollcall/store"

// verdictLetters are the letters of the verdicts in the script settle.
var verdictLetters = map[store.Verdict]string{
	store.VerdictSuccess: "S", store.VerdictFail: "F", store.VerdictCancel: "C", store.VerdictRetry: "R", store.VerdictSnooze: "R",
	store.VerdictRelease: "L", store.VerdictStopRun: "Q", store.VerdictBegin: "B", store.VerdictSkip: "K", store.VerdictAbort: "K",
	store.VerdictHookDone: "H",
}
