// Package otelrollcall gives OpenTelemetry the traces of tasks, the metrics of a process that runs
// or enqueues them, and, on request, metrics of what stands in the store. It uses the public API
// alone: a propagator, middleware, the callbacks of [observe.Observer], and readings of the
// manager.
//
//	telemetry, err := otelrollcall.New(nil)
//	…
//	m, err := syncjob.Open(ctx, url, syncjob.Config{
//		Registry:   registry.With(telemetry.Middleware()),
//		Propagator: telemetry.Propagator(),
//		Observer:   telemetry.Observer(),
//	})
//	…
//	_, err = telemetry.WatchStore(m, nil) // in one process of a deployment
//
// # Spans
//
//	send QUEUE      PRODUCER: around a function that enqueues, see [Telemetry.Send]
//	process QUEUE   CONSUMER: an attempt of a task
//
// A task carries the context in which it was enqueued. By default "process QUEUE" is the root of a
// trace of its own, linked to that context; with Options.Parent it continues that trace. Spans have
// the attributes messaging.system, messaging.destination.name, messaging.operation.name,
// messaging.operation.type and, of an attempt, messaging.message.id (the task), rollcall.job,
// rollcall.run, rollcall.set, rollcall.kind and rollcall.retry. An attempt whose handler returns an
// error, also a snooze, has the status Error. Hooks have no spans.
//
// # Metrics of a process
//
//	messaging.client.sent.messages       {message}  added tasks; messaging.destination.name
//	messaging.client.consumed.messages   {message}  fetched tasks; messaging.destination.name
//	messaging.client.operation.duration  s          calls of the store; messaging.operation.name
//	messaging.process.duration           s          attempts; messaging.destination.name, set, kind
//	rollcall.task.attempts               {attempt}  attempts that ended; queue, set, kind, verdict
//	rollcall.task.wait                   s          from enqueue to attempt; queue, set, kind
//	rollcall.run.started                 {run}      runs that started here; set
//	rollcall.run.finished                {run}      runs that ended here; set, status
//	rollcall.run.duration                s          from first fetch to end; set, status
//	rollcall.task.reclaimed              {task}     tasks recovered from dead workers
//	rollcall.session.lost                {session}  sessions of dead workers, one per partition
//	rollcall.store.retries               {call}     calls of the store that were repeated; method
//	rollcall.worker.slots                {slot}     slots of the workers here; state
//
// The operations are receive and settle; slots are busy or idle. Attempts are those of tasks and of
// hooks, whose kinds are "@pre" and "@post". What begins with "messaging." also has
// messaging.system, which is "rollcall".
//
// # Metrics of a store
//
//	rollcall.queue.tasks                 {task}     tasks; queue, state
//	rollcall.queue.oldest.age            s          age of the oldest at the front; queue
//	rollcall.queue.unserved              1          1 if no live worker can run what waits; queue
//	rollcall.workers                     {worker}   live workers
//	rollcall.runs.active                 {run}      jobs whose newest run has not ended
//	rollcall.schedule.lateness           s          of the most overdue periodic job
//
// Tasks are waiting, held, delayed, retrying or running. The last two need StoreOptions.Jobs.
//
// The names and attributes are those of OpenTelemetry's conventions for messaging (version 1.40.0,
// in development), and of our own where these have none. Job, run and task are attributes of spans,
// never of metrics: their number is not bounded. Package promrollcall has the same metrics as
// Prometheus writes them, with a dashboard, alerts and an autoscaler.
package otelrollcall
