package memstore

import "github.com/rollcall-go/rollcall/store"

const (
	firstBlock = 4   // most lanes of small jobs never have more tasks
	maxBlock   = 256 // tasks per block of a long list
)

// fifo is a list of tasks in blocks. Appending allocates once per block. Adding and taking at both
// ends need constant time. A whole block can be linked in: so a staged chunk becomes visible for
// the cost of one pointer.
type fifo struct {
	first, last *block
	n           int64
}

type block struct {
	tasks []store.Task // tasks before head were taken
	head  int
	next  *block
}

func (f *fifo) pushBack(t store.Task) {
	if f.last == nil || len(f.last.tasks) == cap(f.last.tasks) {
		size := firstBlock
		if f.last != nil {
			size = min(2*cap(f.last.tasks), maxBlock)
		}
		f.link(&block{tasks: make([]store.Task, 0, size)})
	}
	f.last.tasks = append(f.last.tasks, t)
	f.n++
}

func (f *fifo) pushFront(t store.Task) {
	if f.first == nil || f.first.head == 0 {
		b := &block{tasks: make([]store.Task, firstBlock), head: firstBlock, next: f.first}
		f.first = b
		if f.last == nil {
			f.last = b
		}
	}
	f.first.head--
	f.first.tasks[f.first.head] = t
	f.n++
}

// pushBlock appends tasks without copying them; the list owns the slice from now on.
func (f *fifo) pushBlock(tasks []store.Task) {
	if len(tasks) == 0 {
		return
	}
	f.link(&block{tasks: tasks})
	f.n += int64(len(tasks))
}

func (f *fifo) link(b *block) {
	if f.last == nil {
		f.first = b
	} else {
		f.last.next = b
	}
	f.last = b
}

// front returns the first task without taking it. The list must not be empty.
func (f *fifo) front() *store.Task { return &f.first.tasks[f.first.head] }

// popFront takes the first task; the list must not be empty.
func (f *fifo) popFront() store.Task {
	b := f.first
	t := b.tasks[b.head]
	b.tasks[b.head] = store.Task{} // the block must not keep the payload alive
	b.head++
	if b.head == len(b.tasks) {
		f.first = b.next
		if f.first == nil {
			f.last = nil
		}
	}
	f.n--
	return t
}
