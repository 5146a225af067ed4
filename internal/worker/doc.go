// Package worker fetches tasks, runs their handlers and reports the outcomes.
//
// An [Engine] is one run of a worker. It has slots, which run handlers. For each partition of the
// store it has a session: a lease on the tasks that it holds. A session has four loops: fetch,
// settle, heartbeat and keep. The package intake decides what is fetched when. One function, in
// shutdown.go, ends an engine.
//
// An engine knows no jobs, schedules or observers. It calls its [Host] if it needs something from
// them, and to report what it does.
package worker
