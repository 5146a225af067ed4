// Package worker fetches tasks, runs their handlers and reports what became of them.
//
// An [Engine] is one run of a worker: slots that run handlers, and for each partition of the store
// a session, which is a lease on the tasks that it holds. Four loops serve a session: fetch,
// settle, heartbeat and keep. The package intake decides what is fetched when. How an engine ends
// is the body of one function, in shutdown.go.
//
// An engine knows no jobs, schedules or observers. What it needs of them it asks of its [Host], and
// what it does it tells that.
package worker
