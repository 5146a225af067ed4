package enqueue

import (
	"bytes"
	"encoding/json"
	"time"
)

// Args are the arguments of a task. They are stored as JSON, and the kind that
// rides on their type selects the handler. Kind must not depend on the value:
// it is called on the zero value too.
type Args interface {
	Kind() string
}

// Named values that switch off what zero would inherit.
const (
	// NoRetries makes the first failure of a task its last.
	NoRetries = -1
	// NoTimeout lets a handler run for as long as it likes.
	NoTimeout time.Duration = -1
)

// DefaultQueue is the queue of tasks for which nothing else says one.
const DefaultQueue = "default"

// Options alter one task. The zero value of each field is its default.
type Options struct {
	// Queue to wait in. Defaults to the queue of the kind, then to [DefaultQueue].
	Queue string
	// Delay before the task may start, by the store's clock. Defaults to none.
	Delay time.Duration
	// At is when the task may start, by the store's clock; it excludes Delay. A
	// time in the past is now, and one beyond the year 9999 is refused. Defaults to now.
	At time.Time
	// ID is unique in the run until the task has settled, and for IDFor after
	// that: a second task of the same ID is not added but reported as a
	// duplicate. Defaults to a random ID.
	ID string
	// IDFor keeps ID claimed after the task has settled. It needs ID. Defaults to
	// no longer than the task.
	IDFor time.Duration
	// Headers travel with the task, for example trace contexts. At most
	// 8 KiB of keys and values in all. Defaults to none.
	Headers map[string]string
	// MaxRetries of this task, or [NoRetries]. Defaults to that of the kind or the set.
	MaxRetries int
	// Timeout of each attempt, or [NoTimeout]. Defaults to that of the job, the kind or the set.
	Timeout time.Duration
}

// Item is a task to be enqueued. Make one with [Task] or [Raw]; it is checked
// when it is enqueued, not before. An Item is itself [Args], so that a raw item
// can be handed to whatever enqueues arguments.
type Item struct {
	kind    string
	args    Args
	payload json.RawMessage
	opts    Options
}

// Task is an item with the given arguments, which must not be changed before
// the item was enqueued. A nil opts means all defaults. If args is an [Item]
// the result is that item, under opts unless they are nil.
func Task(args Args, opts *Options) Item {
	it, ok := args.(Item)
	if !ok {
		it = Item{args: args}
	}
	if opts != nil {
		it.opts = *opts
	}
	return it
}

// Raw is an item of a kind known only by name, for tools: no type vouches that
// the payload fits the handler. The payload is copied; it must be JSON, and an
// empty one is stored as null.
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
