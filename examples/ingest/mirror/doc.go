// Package mirror makes one tree of files like another, with the tasks of a job.
//
// The tasks find more work while they run. The root task makes the destination. A scan of each
// directory compares it with its copy. It enqueues a scan of each subdirectory, and copy tasks for
// the files, in chunks. The run is done when the last task is done. Its counters say exactly what
// was done, even if workers were killed.
//
// A program makes a registry with [NewRegistry], and starts a job of the set [SetName] with [Args]
// as its root. It reads what a run did with [FiguresOf].
package mirror
