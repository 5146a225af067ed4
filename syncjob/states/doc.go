// Package states has what package syncjob answers: the states of jobs, runs, tasks, workers,
// queues, limits, semaphores and values, failures, and entries of the audit. Whoever uses only
// their fields need not import it; it is imported for the constants and to name the types.
//
// A state is a copy of what was read. Each method of package syncjob says what it reads in one
// step, and what may have changed meanwhile. All states can be encoded as JSON; what may be
// private, such as arguments and results, is left out.
package states
