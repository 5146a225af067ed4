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
	{"F14_poison_task_kills_the_process", poisonTaskKillsTheProcess},
	{"F16_child_finishes_before_its_parent_settles", childFinishesBeforeItsParentSettles},
	{"F18_many_last_tasks_at_once", manyLastTasksAtOnce},
	{"F19_worker_dies_in_the_post_job_hook", workerDiesInThePostJobHook},
	{"F21_stop_at_any_moment", stopAtAnyMoment},
	{"F24_server_restart", serverRestart},
	{"F25_script_flush", scriptFlush},
	{"F29_flushall_in_mid_run", flushallInMidRun},
}

func TestFaults(t *testing.T) {
	for _, row := range rows {
		t.Run(row.name, row.test)
	}
}
