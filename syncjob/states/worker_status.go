package states

// WorkerStatus says whether a worker fetches tasks.
type WorkerStatus string

// The statuses of a worker. Each includes those before it.
const (
	WorkerActive   WorkerStatus = "active"   // it fetches
	WorkerQuiet    WorkerStatus = "quiet"    // it fetches nothing, and goes on with what runs: syncjob.WorkerRef.Quiet
	WorkerDraining WorkerStatus = "draining" // likewise, and its Run then returns: syncjob.WorkerRef.Drain
)
