package enqueue

import (
	"bytes"
	"encoding/json"
	"time"
)

// Args are the arguments of a task. They are stored as JSON. Kind selects the handler. For a type
// that a handler decodes it must return the same for every value: it is also called on the zero
// value.
type Args interface {
	Kind() string
}

// Values that switch a setting off. Zero would inherit it.
const (
	// NoRetries makes a task fail for good at its first failure.
	NoRetries = -1
	// NoTimeout lets a handler run for as long as it likes.
	NoTimeout time.Duration = -1
)

// DefaultQueue is the queue of tasks that have no other: neither their options nor their kind names
// one.
const DefaultQueue = "default"

// Options configure one task. The zero value of each field is its default.
type Options struct {
	// Queue to wait in. Defaults to the queue of the kind, then to [DefaultQueue].
	Queue string
	// Delay before the task may start, by the store's clock. Defaults to none.
	Delay time.Duration
	// At is when the task may start, by the store's clock. It cannot be set together with Delay. A
	// time in the past means now; a time after the year 9999 is refused. Defaults to now.
	At time.Time
	// Expires is from when on the task is not begun any more, by the store's clock: neither its first
	// attempt nor another one. What runs then goes on to its end. A task that expires counts as
	// cancelled; if an attempt of it has failed before, the task fails, with that error. A retry that
	// would come too late fails the task at once.
	//
	// It is in whole ms, and must be after At and Delay, where they are set; a time in the past is
	// allowed. A worker ends the task when it fetches it, or would begin it. So while no worker serves
	// the task, or its queue is paused, it stays in the counts of its run as pending, and its state is
	// states.TaskExpired. A worker knows the store's clock as of its last call: it may begin a task
	// too late by about the time of a call. RunNow and Reschedule do not change when a task expires.
	// Failed tasks that are retried, or go to a new run, do not expire any more. Defaults to never.
	Expires time.Time
	// ID is unique in the run until the task has settled, and for IDFor after that. A second task
	// with the same ID is not added; its receipt says Duplicate. Defaults to a new ID that begins
	// with the time at which it was made.
	ID string
	// IDFor is how long ID stays in use after the task has settled. It needs ID. Defaults to zero.
	IDFor time.Duration
	// Headers travel with the task, for example trace contexts. At most
	// 8 KiB of keys and values in all. Defaults to none.
	Headers map[string]string
	// MaxRetries of this task, or [NoRetries]. Defaults to that of the kind or the set.
	MaxRetries int
	// Timeout of each attempt, or [NoTimeout]. Defaults to that of the job, the kind or the set.
	Timeout time.Duration
}

// Item is a task to be enqueued. Make one with [Task] or [Raw]. It is checked when it is enqueued,
// not before. An Item is itself [Args], so a raw item can be passed to every function that enqueues
// arguments.
type Item struct {
	kind    string
	args    Args
	payload json.RawMessage
	opts    Options
}

// Task makes an item with the given arguments. Do not change them before the item is enqueued. Nil
// opts means all defaults. If args is an Item or points to one, the result is that item; if opts is
// not nil, it replaces the item's options.
func Task(args Args, opts *Options) Item {
	it := Item{args: args}
	switch inner := args.(type) {
	case Item:
		it = inner
	case *Item:
		if inner != nil {
			it = *inner
		}
	}
	if opts != nil {
		it.opts = *opts
	}
	return it
}

// Raw makes an item from the name of a kind and JSON. It is for tools: no Go type ensures that the
// payload fits the handler. The payload must be JSON, and is copied. An empty one is stored as
// null.
func Raw(kind string, payload json.RawMessage, opts *Options) Item {
	it := Item{kind: kind, payload: json.RawMessage("null")}
	if len(payload) > 0 {
		it.payload = bytes.Clone(payload)
	}
	if opts != nil {
		it.opts = *opts
	}
	return it
}

// Kind implements [Args]. It is empty for the zero Item.
func (it Item) Kind() string {
	if it.args != nil {
		return it.args.Kind()
	}
	return it.kind
}
