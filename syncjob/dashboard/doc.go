// Package dashboard serves pages that show what jobs, runs, tasks, queues and workers do, and that
// let people act on them. It stands on the public methods of [syncjob.Manager] alone and uses only
// the standard library; everything that it serves is in the program.
//
// [New] returns an [http.Handler]. Mount it where you like; its links are relative:
//
//	http.Handle("/rollcall/", dashboard.New(m, dashboard.Options{}))
//
// # What it shows
//
// Home shows first what needs attention: queues that nobody serves, workers that were lost, jobs
// that cannot be fired, and pauses. Then there are pages for jobs, runs, tasks, failures, queues,
// workers, schedules, handler sets, semaphores and limits, values, pauses and the audit. Charts
// show what was done in the last hour, 8 hours, 3 days or 90 days; each has its numbers as a table
// below it. What is done shows in a chart a minute later at most. Pages work without script. With
// it, a visible page is read again when something has changed: server-sent events say what, at most
// twice a second. Where events do not get through, it is read every few seconds.
//
// What pages read is shared: what one address shows is read at most once a second, however many
// pages are open there, and so is what several pages need, such as all queues. After an action it
// is read anew. Each page ends after [ReadTime]; if the store does not answer, the page says so.
//
// # Security
//
// Without [Options.Authorize] the pages can be read by everybody who reaches them, and nobody can
// act. Actions are POST requests that come from the dashboard's own pages: those from other origins
// are refused. Arguments, results and headers of tasks stay hidden unless [Options.Payload] shows
// them. All names, errors and payloads are shown as text: markup is escaped, and so are control
// characters and marks that change the direction of text. The pages forbid, by their
// Content-Security-Policy, everything that does not come from the handler itself. They cannot be
// framed and are not stored by browsers.
//
// # JSON
//
// The same readings and actions are calls below api/v1/, described by api/v1/openapi.json. Numbers
// of 64 bits are strings there. With [Options.Produce] it also takes jobs and tasks, so that
// programs in other languages can give work to handlers in Go.
//
// # Actions
//
// Each action has a page that says what it does and to what, and asks for a reason. Only its button
// acts. The actor is that of [Options.Actor]; the store keeps who and why where the action does. If
// the answer is lost, it is safe to act again: an action that was done is answered as such, or
// changes nothing more.
package dashboard
