// Package semaphore counts, across processes, who may do something at a time, and
// gates runners by that.
//
//	sems := semaphore.New(s) // over any store.Store
//	lease, err := sems.TryAcquire(ctx, "reindex", &semaphore.Options{Max: 3, TTL: time.Minute, Holder: "indexer on host-7"})
//
// # What is guaranteed
//
//   - A lease is held until its holder releases it or its time passes.
//   - The same place is never given to two.
//   - Acquiring does not wait.
//   - Each acquisition has a new unguessable token, and one whose time passed can release
//     or refresh nothing any more, whoever has the place now.
//
// There are two exceptions, both asked for by name: [Semaphores.Acquire] waits, and
// [Semaphores.ForceRelease] and [Semaphores.ForceReleaseAll] end leases before their time.
//
// Any free slot is taken in one atomic step, beginning at a random one. The system that
// this package re-creates tried one random slot, and gave up when that was taken though others
// were free; here whoever is refused met as many holders as there are places, or a line of waiters.
//
// # Time
//
// The store's clock decides when a lease ends. A holder cannot see that moment, so
// [Lease.Context] ends, with cause [store.ErrLeaseLost], by the local monotonic clock: a tenth of
// the lease, at most 100 ms, before as much time has passed as the lease lasts since before the
// last refresh that succeeded was sent. That is before the store's end, unless one of the clocks
// jumps, or the process stands still or has no processor for longer than that margin. Whatever
// must hold even then has to check [Lease.Fence], which only grows for a key, where the work
// takes effect.
//
// # The line
//
// Each that waits in [Semaphores.Acquire] claims again every 5 s, or sooner when it is woken or the
// first lease ends, and each claim keeps its place in the line for 15 s. So a waiter that died
// holds up those behind it for at most 15 s, though a place is free.
//
// # Readers and writers
//
// A claim with [Options.Exclusive] is a writer's: it holds the semaphore alone. All others are
// readers, up to Max. A writer that waits keeps new readers out, and is told by
// [Options.OnBlocked] who still reads.
//
// # When to use what
//
// A [Gate] is for a runner that is fired in many processes and shall run in a few of them at a
// time: a nightly report, a worker that a licence allows five times. It is not for single tasks: a
// handler that waits for a semaphore keeps a worker's slot busy. To bound how many tasks of a kind
// run at a time, set the attribute MaxRunning of the kind: what is over it waits in its queue. What
// is due at times, once for all processes, is a periodic job. A gate obeys the read-only mode of a
// namespace only with the manager's Writable as CanRun.
package semaphore
