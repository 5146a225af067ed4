package storetest

import "slices"

// promises lists the sentences of the design, with the cases that test them.
func promises() []promise {
	return []promise{
		{
			"P01_AtLeastOnce",
			"P1 At least once. A task whose enqueue returned nil runs until it succeeds, has used its retries, is cancelled, or its run stops, " +
				"through worker crashes, lost connections and Redis restarts (as far as Redis itself kept the write).",
			atLeastOnce,
		},
		{
			"P02_ExactCounts",
			"P2 Exact counts. One atomic read always shows total = pending + delayed + running + succeeded + failed + cancelled, " +
				"under retries, lost replies, zombie workers and repeated calls.",
			exactCounts,
		},
		{
			"P03_CompletionOnce",
			"P3 Completion once. A run finishes if and only if it is sealed and its last task has settled. Its final state is recorded once; " +
				"its post-job hook completes once (retried by its attributes, or after a worker died inside it), for periodic runs too.",
			completionOnce,
		},
		{
			"P04_ExactlyOnceFanOut",
			"P4 Exactly-once fan-out. Tasks enqueued through a running task's own context become visible with that task's success, " +
				"all or none, however many there are. A retried parent never duplicates its children.",
			append(fanOut, lostChildren...),
		},
		{"P05_Fencing", "P5 Fencing. A worker that lost its lease can neither settle the task nor enqueue with it; " +
			"its handler's context is cancelled with cause ErrLeaseLost.", fencing},
		{
			"P06_Stop",
			"P6 Stop. When Stop returns, no waiting task of the run will start, in time independent of how many wait; running handlers' contexts " +
				"are cancelled with cause ErrJobStopped; enqueuing returns ErrJobStopped; once drained, the run is stopped and its summary kept.",
			append(stopping, deadlines...),
		},
		{"P07_OneActiveRun", "P7 One active run per name. Starting an active name returns ErrJobExists.", oneActiveRun},
		{
			"P08_Schedule",
			"P8 Schedule. Each due time fires at most once cluster-wide, with any number of schedulers; overlap policy decides what " +
				"a due time does while the last run is active (skip, queue one, replace); missed times coalesce into one.",
			append(schedules, postponed...),
		},
		{
			"P09_Semaphore",
			"P9 Semaphore. An issued lease is held until its holder releases it or its timeout passes; the same lease is never issued to two callers; " +
				"acquiring does not wait; each acquisition gets a new unique token, and a token whose lease timed out and was issued again can no longer release it; " +
				"plus a fencing number that only grows, holder descriptions, and a lost lease cancelling the runner's context.",
			semaphores,
		},
		{
			"P10_SafeRetry",
			"P10 Safe retry. Transient store errors are retried with backoff and jitter within the caller's context and a default limit; " +
				"permanent ones are returned at once; repeating any mutation after an unknown result changes nothing more.",
			safeRetry,
		},
		{
			"P11_Fair",
			"P11 Fair. Jobs with waiting tasks in a queue share its workers by weight; a small job never waits for a big one to end.",
			fairness,
		},
		{
			"P12_Bounded",
			"P12 Bounded. Finished runs leave only a capped, expiring summary and failure sample; payload size is limited; " +
				"nothing grows without limit.",
			bounded,
		},
		{"P13_BadInput", "P13 Bad input gets a typed error that names the field, and nothing is written.",
			slices.Concat(badInput, refusedByField, uniform)},
		{
			"P14_OneClock",
			"P14 One clock. Every deadline is decided by the store's clock (Redis TIME), never by a worker's.",
			oneClock,
		},
		{
			"P15_Poison",
			"P15 Poison. A task that kills its worker, time after time, is failed after MaxDeliveries, apart from its retry budget; " +
				"tasks that only stood beside it are not charged.",
			poison,
		},
	}
}

// contract lists sentences of the contract that are not promises, with their cases.
func contract() []promise {
	return []promise{
		{
			"Contract_Jobs",
			"Contract, Jobs: declaring a definition again changes nothing, and jobs can be listed, read and deleted.",
			jobsContract,
		},
		{
			"Contract_Runs",
			"Contract, Runs: a run can be read, paused and inspected, and its counters are those of its tasks.",
			runsContract,
		},
		{
			"Contract_Recent",
			"Contract, Runs and Jobs: they are listed by state, the last that changed first, page by page.",
			recentContract,
		},
		{
			"Contract_Streams",
			"Contract, Producers and Sessions: a stream is serial; unknown and stale numbers are refused, and nothing is written then.",
			streamsContract,
		},
		{
			"Contract_Tasks",
			"Contract, Producers: tasks keep their fields, and a claimed ID is unique in its run until the task settles, and for Keep after that.",
			tasksContract,
		},
		{
			"Contract_Failures",
			"Contract, Runs: the failures that runs keep can be read, and the runs that keep some.",
			failuresContract,
		},
		{
			"Contract_TaskChanges",
			"Contract, TaskChanges: a task that is cancelled never begins again, and counts once; " +
				"a delayed task can become due at another time.",
			append(taskChangesContract, cancelRaces...),
		},
		{
			"Contract_Redo",
			"Contract, Producers: failures of an active run are retried or discarded, each once.",
			redoContract,
		},
		{
			"Contract_Hold",
			"Contract, Producers: a run that holds for its failures ends when they are retried, discarded or accepted; " +
				"so does one whose post-job hook gave up.",
			holdContract,
		},
		{
			"Contract_Progress",
			"Contract, Sessions: a run shows which of its running tasks report progress.",
			progressContract,
		},
		{
			"Contract_Workers",
			"Contract, Sessions: the tasks that sessions hold and that wait in queues can be read.",
			workersContract,
		},
		{
			"Contract_Quiet",
			"Contract, Sessions: a quiet session gets no more tasks, and goes on with those that it has.",
			quietContract,
		},
		{
			"Contract_Signals",
			"Contract, Signals: a subscriber gets signals: that it is connected, that there is work, and that a run changed.",
			slices.Concat(signalsContract, wakeupsContract),
		},
		{
			"Contract_Counters",
			"Contract, Sessions: counters of a task are added to its run with its success, exactly once, and never without it.",
			countersContract,
		},
		{
			"Contract_Results",
			"Contract, Runs: the result of a task is kept with its success, once, and as long and as many as its retention says.",
			resultsContract,
		},
		{
			"Contract_Bounds",
			"Contract, Sessions: a fetch leases no more than its budgets and the limits of each run allow, and other tasks do not wait for these.",
			boundsContract,
		},
		{
			"Contract_Limits",
			"Contract, Limits: no more than a limit is drawn, each holder gets its share, and used permits stay in use.",
			limitsContract,
		},
		{
			"Contract_Pauses",
			"Contract, Pauses: once a scope is paused in a partition, none of its tasks is newly leased there, " +
				"and others are as before.",
			pausesContract,
		},
		{
			"Contract_History",
			"Contract, History: the points of a route add up to what was done, and to the histograms that came, " +
				"whoever sweeps how often.",
			historyContract,
		},
		{
			"Contract_Audit",
			"Contract, Audit: the step that changes something adds a line that says who did it, and no other does.",
			auditContract,
		},
		{
			"Contract_Writes",
			"Contract, Sessions: writes of a task to lists and maps appear with its success, exactly once, and never without it.",
			writesContract,
		},
		{
			"Contract_Values",
			"Contract, Values: runs, jobs and the namespace have typed values; each write is applied once, and values are removed with their owner.",
			append(valuesContract, valueEnds...),
		},
		{
			"Contract_Configurations",
			"Contract, Configurations: a change of a document makes the next version, once, and is kept in its history; " +
				"workers get the documents of runs, which are removed with the runs.",
			configurationsContract,
		},
		{
			"Contract_Numbers",
			"Contract, MaxNumber and ValidateTime: each number and time is kept exactly, or refused with the name of its field.",
			numbersContract,
		},
		{
			"Contract_Pages",
			"Contract, PageBytes: many large items are read in pages of about a mebibyte, and none is left out.",
			pagesContract,
		},
		{
			"Contract_Listing",
			"Contract, Runs: the tasks of a run are listed where they are, and nothing else is.",
			listingContract,
		},
		{
			"Contract_Ledger",
			"Contract, Ledger: each task is counted where it is, and each attempt once, under its route.",
			ledgerContract,
		},
		{
			"Contract_Inventory",
			"Contract, Semaphores, Limits and Values: what there is can be listed, by pages, and what is gone is not.",
			inventoryContract,
		},
		{
			"Contract_Repair",
			"Contract, Repairer: a repair does not change healthy data, also while tasks run.",
			repairContract,
		},
		{
			"Contract_Close",
			"Contract, Store: a closed store refuses calls, and closing twice is harmless.",
			closeContract,
		},
	}
}
