package faults

import "testing"

// rows are the rows of the catalogue that have their test.
var rows = []struct {
	name string
	test func(*testing.T)
}{
	{"F01_worker_killed_mid_task", workerKilledMidTask},
	{"F02_worker_paused_past_its_lease", workerPausedPastItsLease},
	{"F03_reply_lost_after_settle", replyLostAfterSettle},
	{"F04_reply_lost_after_enqueue", replyLostAfterEnqueue},
	{"F05_reply_lost_after_fetch", replyLostAfterFetch},
	{"F06_cut_before_the_request", cutBeforeTheRequest},
	{"F07_timeout_executed_later", timeoutExecutedLater},
	{"F08_reclaim_races_settle", reclaimRacesSettle},
	{"F09_held_without_a_lease_entry", heldWithoutALeaseEntry},
	{"F10_corrupt_or_missing_records", corruptOrMissingRecords},
	{"F11_long_task", longTask},
	{"F12_handler_ignores_cancellation", handlerIgnoresCancellation},
	{"F13_handler_panics", handlerPanics},
	{"F14_poison_task_kills_the_process", poisonTaskKillsTheProcess},
	{"F15_producer_dies_between_chunks", producerDiesBetweenChunks},
	{"F16_child_finishes_before_its_parent_settles", childFinishesBeforeItsParentSettles},
	{"F17_root_enqueues_nothing", rootEnqueuesNothing},
	{"F18_many_last_tasks_at_once", manyLastTasksAtOnce},
	{"F19_worker_dies_in_the_post_job_hook", workerDiesInThePostJobHook},
	{"F20_every_task_fails", everyTaskFails},
	{"F21_stop_at_any_moment", stopAtAnyMoment},
	{"F22_schedulers_killed_and_paused", schedulersKilledAndPaused},
	{"F23_clocks_off_by_hours", clocksOff},
	{"F24_server_restart", serverRestart},
	{"F25_script_flush", scriptFlush},
	{"F26_sentinel_failover", sentinelFailover},
	{"F27_slots_move_and_shards_die", slotsMoveAndShardsDie},
	{"F28_out_of_memory", outOfMemory},
	{"F29_flushall_in_mid_run", flushallInMidRun},
	{"F30_busy_script", busyScript},
	{"F31_payload_or_batch_at_the_limit", payloadOrBatchAtTheLimit},
	{"F32_hostile_names", hostileNames},
	{"F33_memory_is_bounded", memoryIsBounded},
	{"F34_semaphore_holder_gone", semaphoreHolderGone},
	{"F35_staged_children_lost", stagedChildrenLost},
	{"F36_acknowledged_steps_lost", acknowledgedStepsLost},
	{"F37_gated_workers_gone", gatedWorkersGone},
	{"F38_queue_paused_under_load", queuePausedUnderLoad},
	{"F39_cancelled_task_of_a_dead_worker", cancelledTaskOfADeadWorker},
}

// TestFaults runs the rows side by side: most of them wait for leases to end most of the
// time, and none depends on speed.
func TestFaults(t *testing.T) {
	for _, row := range rows {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			row.test(t)
		})
	}
}
