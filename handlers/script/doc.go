// Package script lets the handlers of a set be changed while the program runs: hooks, attributes,
// filters and whole handlers, written in Starlark, a small language that looks like Python.
//
// The source is an attribute of the set ([handlers.Attributes].Script). It is stored, and has
// versions, with the configuration:
//
//	m.Configure(ctx, "ingest", &syncjob.ConfigureOptions{By: "ann", Reason: "retry less"},
//		func(c *syncjob.Configuration) error {
//			c.Set.Script = source
//			return nil
//		})
//
// A script that does not compile is refused with line and column, and nothing is written. Attempts
// that start more than a second later use the new script, on every worker; running attempts keep
// the one that they began with. Each worker compiles a version once. Manager.History says who
// changed the script, when, why, and what it was before. A run can have a script of its own. A set
// can have one in code, which applies if none is stored.
//
// # What a script defines
//
//	def pre_job(run)            before the tasks of a run: return to begin it, or skip_run(reason)
//	def post_job(run)           after its last task
//	def pre_EVENT(event)        before and after an event of a task, for each name of an event that
//	def post_EVENT(event)       the set declares: pre_file_create for "file.create"
//	def max_retries(task)       how often the task is tried again; 0 for never
//	def timeout(task)           of an attempt, in seconds; 0 for none
//	def delay(task, retry)      before retry number 1, 2 …, in seconds
//	def handle_KIND(task)       the handler of a kind, in place of the one in code
//	def NAME(…)                 for each of Options.Functions: what the program asks by [Call]
//
// In names of events and kinds, each character that a name of a function cannot have is "_". Names
// of other functions begin with "_". A function of another name is refused, since nobody would call
// it. An attribute for which the function returns None is inherited: package handlers says from
// where. So it is, and an error is logged, if the function fails.
//
// A hook in code and a hook in the script are both called: the one in code first before an event or
// job, and last after it. handle_KIND is called inside of the middleware of the set, and in place
// of that of the kind.
//
// # What a script sees
//
//	task    id, kind, queue, retry (failed attempts before), snoozes, set, job, run, headers, args
//	run     job, number, set, status, total, succeeded, failed, cancelled, retried, counters,
//	        redrive_of, error, retry, headers, args
//	event   name, task, data (of [WithData])
//
// # What a script calls
//
//	params()                             the Params of the kind, or of the set for hooks of a job
//	log(text, level = "info", **attrs)   a line of the logger of the attempt or hook
//	counter(name, n = 1)                 adds to one of Options.Counters, with the task's success
//	enqueue(kind, args = None, id = "", queue = "", delay = 0)
//	                                     adds a child, with the task's success; returns its ID
//	event(name, function)                calls the function between the hooks of the event
//	fail(text)                           fails the attempt, or the hook
//	permanent(reason)                    the same, for good
//	retry_after(seconds, reason = "")    the same, and says when it is tried again
//	snooze(seconds)                      runs the task again, which is not counted
//	cancel_job(reason)                   stops the run
//	skip_run(reason)                     in pre_job: ends the run as skipped
//
// Functions of attributes can call params and log alone; counter and enqueue belong to tasks, and
// event to whole handlers. The language has its usual builtins and methods, without print, getattr,
// hasattr, dir, hash, set and bytes; and no load, while or recursion.
//
// # The sandbox
//
// A script has no files, no network, no clock and no state: what is global is frozen when it has
// been compiled. Each call has a number of steps ([Options].Steps), which bound its time and its
// memory: a script cannot take more memory than some tens of bytes for each step. It also ends with
// the context of the attempt, and after [Options].Timeout. A call that ends badly is an [*Error]
// with the traceback of the script. For a task or hook it is a failed attempt, which is tried
// again, so a script can be corrected before the retries are used up.
package script
