// Package mirror makes one tree of files like another, with the tasks of a job.
//
// The tasks find more work while they run. The root task enqueues a scan of the source. The scan of
// a directory makes its copy, and compares the two. It enqueues a scan of each subdirectory, and
// copy tasks for the files, in chunks. The run is done when the last task is done. Its counters say
// exactly what was done, even if workers were killed.
//
// [Options] say what a run does to the destination: it syncs, puts, appends, or does nothing but
// call hooks. It may delete what vanished from the source, but only what earlier runs put there: a
// ledger beside the destination has a mark of each file, written before the file. A [Source] is a
// directory, or anything else with entries that can be listed and read. What cannot be read is
// listed, and deletes nothing.
//
// A worker may die at any moment, and a task may run again. A file is put in place in one step, and
// whoever tries again finds what is done. The one exception is [OperationAppend], which writes in
// place, and goes on where it stopped. No file system knows leases. So a worker that stood still
// for longer than its lease may end one write after others have done its task, also after the run
// has ended. It may leave a temporary file, an older time of a directory, or an older copy of a file
// that has changed since. The next run puts that right.
//
// A program makes a registry with [NewRegistry], and starts a job of the set [SetName] with [Args]
// as its root. It reads what a run did with [FiguresOf].
package mirror
