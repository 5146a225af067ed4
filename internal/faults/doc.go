// Package faults holds the tests that break things on purpose: real redis-server
// processes, real worker processes, and a proxy that loses replies between them.
//
// # The parts
//
// A world is one namespace on one server of its own, behind a [redistest.Proxy], with a
// manager that goes through the proxy as users' do. Its workers are processes: this
// test binary, executed once more with an order in its environment. A worker is killed
// with SIGKILL, paused with SIGSTOP, resumed with SIGCONT, and asked to drain by the
// end of its standard input; so it also ends when the test binary dies.
//
// What tasks do is said by their arguments, a tree that grows as it runs. Handlers
// write everything they do to the ledger: a stream on a second server, which no fault
// touches and of which the library knows nothing. Tests wait for what the ledger shows,
// never for time to pass.
//
// # The oracle
//
// From the start of a run to its end the oracle reads its state past the proxy, and
// fails the test if a read breaks promise P2, if a figure that may only grow shrinks, or
// if a final state changes. In the end it compares the counts and the ledger with what
// the tree must have become, whatever happened meanwhile: every path ran under one task
// ID only, so nobody was enqueued twice; no path is missing; the hook completed once.
// Then it compares the ledger of each partition with the listings of all runs and with what
// they count, and the history with the ledger. Last, it deletes the job and looks into every
// key of the namespace for the run's number.
//
// # The desk
//
// In rows about servers, replies and dead workers, and in the storm, runs are also worked on by
// hand when the blow comes. Such a run is held on failure. Its tasks are cancelled, hastened,
// expire, fail, are retried and discarded, while its workers are made quiet and drained; then its
// post-job hook gives up, and is repeated. Beside it, the failures of another run are accepted
// after a task expired while they held it, and a third is stopped at its deadline. In the end their
// counts, results, audit and timeline must be what was done to them.
//
// # Rows
//
// TestFaults runs one subtest for each row of the catalogue of faults, named
// F01_worker_killed_mid_task and so on: a function in the file of its subject, listed in
// faults_test.go. Each chooses what it draws by a seed that is printed, and that
// ROLLCALL_SEED repeats.
//
// # Histories
//
// TestFetchSettleAndStopAreLinearizable lets clients of one run enqueue, fetch, settle, stop and
// read at once, on memory and on a server, while replies are lost, and has porcupine look for an
// order of the calls in which a run could have answered so. A call whose result nobody learned may
// take effect at any time, or never.
//
// # The storm
//
// TestStorm lets a tree grow while everything goes wrong at random, as drawn from one seed: workers
// are killed and paused, connections cut, replies lost or late, scripts flushed, the server paused,
// killed and restarted. The tree has retries, snoozes, staged and claimed children; its nodes add
// weights to a counter, whose sum tells that each success was counted once with all it brought. In
// the end, a repair must find nothing. It says how many of each fault there were. The tests play a
// small one, of fixed seeds, to which is added each that ever failed. One of 100,000 tasks through
// a minute of faults:
//
//	ROLLCALL_STORM=1 ROLLCALL_SEED=7 go test ./internal/faults -run TestStorm -v
package faults
