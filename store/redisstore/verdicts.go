package redisstore

import "github.com/rollcall-go/rollcall/store/verdicts"

// verdictLetters are the letters of the verdicts in the script settle.
var verdictLetters = map[verdicts.Verdict]string{
	verdicts.Success: "S", verdicts.Fail: "F", verdicts.Cancel: "C", verdicts.Retry: "R", verdicts.Snooze: "R",
	verdicts.Release: "L", verdicts.StopRun: "Q", verdicts.Begin: "B", verdicts.Skip: "K", verdicts.Abort: "K",
	verdicts.HookDone: "H",
}
