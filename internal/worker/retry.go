package worker

import "time"

const (
	// retryWait is the wait after a call that failed after all repeats.
	retryWait = 500 * time.Millisecond
	// reopenWait is the wait after a session that was lost or could not be opened.
	reopenWait = 500 * time.Millisecond
)

// sessionPrefix returns the prefix of the IDs of all sessions of a worker.
func sessionPrefix(worker string) string { return worker + "-" }
