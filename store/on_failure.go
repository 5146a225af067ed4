package store

// OnFailure says what a run does that has nothing left to do, and of which tasks failed.
type OnFailure string

// What a run does on failures.
const (
	// OnFailureEnd ends the run as failed, after its post-job hook.
	OnFailureEnd OnFailure = ""
	// OnFailureHold holds the run. While no other task is left, it stays as it is until its failures
	// are retried, discarded or accepted; only then comes its post-job hook. A hook that gives up
	// holds the run in the same way: it is finishing until the hook is repeated or accepted.
	OnFailureHold OnFailure = "hold"
	// OnFailureAccepted is that of a run with OnFailureHold whose failures were accepted: they no
	// longer hold it, nor do later ones. A hook that gives up still does. No run starts so.
	OnFailureAccepted OnFailure = "accepted"
)

// Known reports whether it is one of the constants. It is for implementers.
func (o OnFailure) Known() bool {
	return o == OnFailureEnd || o == OnFailureHold || o == OnFailureAccepted
}

// HoldFailures is the name by which people are told of the hold of [OnFailureHold]. It is in force
// while the run has a failure that was not accepted, and is none of the holds that
// [RunRecord].Holds counts.
const HoldFailures = "failures"
