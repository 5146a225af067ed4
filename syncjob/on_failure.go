package syncjob

import "github.com/rollcall-go/rollcall/store"

// OnFailure says what a run does of which tasks failed, once its other tasks have ended; see
// [Job.OnFailure].
type OnFailure = store.OnFailure

// What a run does on failures.
const (
	OnFailureEnd      = store.OnFailureEnd      // it ends as failed, after its post-job hook
	OnFailureHold     = store.OnFailureHold     // it is held: see [Job.OnFailure]
	OnFailureAccepted = store.OnFailureAccepted // of a run: it held, and [Run.Accept] accepted its failures
)
