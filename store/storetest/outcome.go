package storetest

import (
	"slices"
	"time"

	"github.com/rollcall-go/rollcall/store"
	"github.com/rollcall-go/rollcall/store/verdicts"
)

// success settles a delivery with its children.
func success(d store.Delivery, children ...store.Item) store.Outcome {
	return store.Outcome{Lease: d.Lease, Verdict: verdicts.Success, Task: d.Task, Children: children}
}

// counting returns the outcome with counters.
func counting(o store.Outcome, counters map[string]int64) store.Outcome {
	o.Counters = counters
	return o
}

// retried settles a failed attempt that is to be tried again.
func retried(d store.Delivery, delay time.Duration) store.Outcome {
	t := d.Task
	t.Retry++
	return store.Outcome{Lease: d.Lease, Verdict: verdicts.Retry, Task: t, Delay: delay, Error: "try again"}
}

// snoozed settles a task that snoozes.
func snoozed(d store.Delivery, delay time.Duration) store.Outcome {
	t := d.Task
	t.Snoozes++
	return store.Outcome{Lease: d.Lease, Verdict: verdicts.Snooze, Task: t, Delay: delay}
}

// failed settles a delivery that failed for good.
func failed(d store.Delivery) store.Outcome {
	return store.Outcome{
		Lease:   d.Lease,
		Verdict: verdicts.Fail,
		Task:    d.Task,
		Error:   "broken: " + d.Task.ID,
		Stack:   "stack of " + d.Task.ID,
	}
}

// plain settles a delivery with a verdict that needs no other fields.
func plain(d store.Delivery, v verdicts.Verdict) store.Outcome {
	return store.Outcome{Lease: d.Lease, Verdict: v, Task: d.Task}
}

// hookDone settles the post-job hook. text is its error if it failed for good.
func hookDone(d store.Delivery, text string) store.Outcome {
	return store.Outcome{Lease: d.Lease, Verdict: verdicts.HookDone, Task: d.Task, Error: text}
}

// wellDone settles tasks and hooks with success.
func wellDone(d store.Delivery) store.Outcome {
	switch d.Lease.Lane.Route.Kind {
	case store.KindPreJob:
		return plain(d, verdicts.Begin)
	case store.KindPostJob:
		return hookDone(d, "")
	}
	return success(d)
}

// ids returns the IDs of the delivered tasks, sorted.
func ids(ds []store.Delivery) []string {
	list := make([]string, len(ds))
	for i, d := range ds {
		list[i] = d.Task.ID
	}
	slices.Sort(list)
	return list
}

// named returns the IDs of the items, sorted.
func named(items ...store.Item) []string {
	list := make([]string, len(items))
	for i, it := range items {
		list[i] = it.Task.ID
	}
	slices.Sort(list)
	return list
}
