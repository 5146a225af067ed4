// Package promrollcall gives Prometheus what happens in a process that runs or enqueues tasks, and,
// on request, what stands in the store. It uses the public API alone: the callbacks of
// [observe.Observer], and readings of the manager.
//
//	metrics := promrollcall.New(nil)
//	m, err := syncjob.Open(ctx, url, syncjob.Config{Observer: metrics.Observer(), …})
//	…
//	prometheus.MustRegister(metrics)                                // of this process
//	prometheus.MustRegister(promrollcall.NewStoreCollector(m, nil)) // of the store: once
//
// # Metrics of a process
//
//	messaging_client_sent_messages_total          added tasks; messaging_destination_name
//	messaging_client_consumed_messages_total      fetched tasks; messaging_destination_name
//	messaging_client_operation_duration_seconds   calls of the store; messaging_operation_name
//	messaging_process_duration_seconds            attempts; messaging_destination_name, set, kind
//	rollcall_task_attempts_total                  attempts that ended; queue, set, kind, verdict
//	rollcall_task_wait_seconds                    from enqueue to attempt; queue, set, kind
//	rollcall_run_started_total                    runs that started here; set
//	rollcall_run_finished_total                   runs that ended here; set, status
//	rollcall_run_duration_seconds                 from first fetch to end; set, status
//	rollcall_task_reclaimed_total                 tasks recovered from dead workers
//	rollcall_session_lost_total                   sessions of dead workers, one per partition
//	rollcall_store_retries_total                  calls of the store that were repeated; method
//	rollcall_worker_slots                         slots of the workers here; state
//
// The operations are receive and settle; slots are busy or idle. Attempts are those of tasks and of
// hooks, whose kinds are "@pre" and "@post".
//
// # Metrics of a store
//
//	rollcall_queue_tasks                          tasks; queue, state
//	rollcall_queue_oldest_age_seconds             since the enqueue of the oldest at the front; queue
//	rollcall_queue_unserved                       1 if no live worker can run what waits; queue
//	rollcall_workers                              live workers
//	rollcall_runs_active                          jobs whose newest run has not ended
//	rollcall_schedule_lateness_seconds            of the most overdue periodic job
//
// Tasks are waiting, held, delayed, retrying or running. The last two need StoreOptions.Jobs.
//
// The names are those of OpenTelemetry's messaging conventions (version 1.40.0, in development) and
// of package otelrollcall, as Prometheus writes them: messaging_destination_name is a queue, and
// messaging_system is always "rollcall". No metric has the name of a job, the number of a run or
// the ID of a task: their number is not bounded.
//
// The folder ops has a dashboard for Grafana, rules for alerts, and an autoscaler for KEDA.
package promrollcall
