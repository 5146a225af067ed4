package worker

import "time"

const (
	// retryWait follows a call that failed though the store repeated it.
	retryWait = 500 * time.Millisecond
	// reopenWait follows a session that was lost or could not be opened.
	reopenWait = 500 * time.Millisecond
)

// sessionPrefix begins the IDs of all sessions of a worker.
func sessionPrefix(worker string) string { return worker + "-" }
