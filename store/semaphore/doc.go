// Package semaphore limits how many processes do something at the same time.
//
//	sems := semaphore.New(s) // over any store.Store
//	lease, err := sems.TryAcquire(ctx, "reindex", &semaphore.Options{Max: 3, TTL: time.Minute, Holder: "indexer on host-7"})
//
// # What is guaranteed
//
//   - A lease is held until its holder releases it or its time passes.
//   - No place has two holders at a time.
//   - Acquiring does not wait.
//   - Each acquisition has a new token that nobody can guess. After the lease has ended, its
//     token can no longer release or refresh anything.
//
// Three methods are exceptions: [Semaphores.Acquire] waits, and [Semaphores.ForceRelease] and
// [Semaphores.ForceReleaseAll] end leases early.
//
// A claim takes any free slot in one atomic step, beginning at a random one. It is refused only if
// all places are taken, or others wait in the line.
//
// # Time
//
// The store's clock decides when a lease ends. A holder cannot see that moment. So [Lease.Context]
// ends earlier, by the local monotonic clock, with the cause [store.ErrLeaseLost]. It ends a tenth
// of the lease early, but at most 100 ms early. It counts from the moment when the last successful
// refresh was sent. So it ends before the lease does in the store, unless a clock jumps, or the
// process is paused for longer than that margin. To be safe in these cases too, the resource itself
// must check [Lease.Fence], which only grows for a key.
//
// # The line
//
// A waiter in [Semaphores.Acquire] claims again every 5 s, or sooner when it is woken or the first
// lease ends. Each claim keeps its place in the line for 15 s. So a dead waiter delays those behind
// it by at most 15 s.
//
// # Readers and writers
//
// A claim with [Options.Exclusive] is a writer: it holds the semaphore alone. All others are
// readers, up to Max. While a writer waits, new readers must wait, too. [Options.OnBlocked] tells
// the writer which readers still hold.
//
// # Keeping leases
//
// A [Gate] and [Lease.Keep] refresh a lease while a function runs, and release it in any case. They
// do so with several, too: see Gate.Also, and [Leases.Keep] for any set of leases, for example some
// of readers and some of writers, which [Join] makes one.
//
// # Operators
//
// syncjob's Manager.Semaphores lists all semaphores that are in use, with their holders and
// waiters. Manager.ReleaseSemaphores releases all with a prefix.
//
// # When to use what
//
// A [Gate] is for a function that many processes call and only a few should run at a time: a
// nightly report, or a program with five licences. It is not for single tasks: a handler that waits
// for a semaphore uses a slot of the worker. To limit how many tasks of a kind run at a time, set
// the attribute MaxRunning of the kind: the others wait in their queue. For work that is due at
// certain times, once for all processes, use a periodic job. A gate obeys the read-only mode of a
// namespace only with the manager's Writable as CanRun.
package semaphore
