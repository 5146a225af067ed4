package worker

import "sync"

// backlog holds the tasks that were fetched and not started. Slots take them one at a time. At most
// one sleeping slot is being woken at a time; when it is awake, it wakes the next. So only as many
// slots wake as there are tasks left over, and short tasks are run by the few slots that are awake.
type backlog struct {
	mu     sync.Mutex
	ready  sync.Cond
	tasks  []*task // waiting from head on
	head   int
	asleep int  // slots that wait
	waking bool // one of them was woken and has not looked for a task yet
	closed bool
}

func newBacklog() *backlog {
	b := new(backlog)
	b.ready.L = &b.mu
	return b
}

// add adds tasks. Suspects go first: they should not wait.
func (b *backlog) add(tasks []task) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, suspects := range []bool{true, false} {
		for i := range tasks {
			if tasks[i].Delivery.Task.Recovered == suspects {
				b.tasks = append(b.tasks, &tasks[i])
			}
		}
	}
	b.wakeLocked()
}

// next waits for a task, and reports whether it had to wait. It returns nil after the backlog was
// closed.
func (b *backlog) next() (t *task, waited bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for {
		if b.closed {
			return nil, waited
		}
		if t = b.popLocked(); t != nil {
			b.wakeLocked()
			return t, waited
		}
		waited = true
		b.asleep++
		b.ready.Wait()
		b.asleep--
		b.waking = false
	}
}

// remove takes out and returns the tasks that meant selects, in order.
func (b *backlog) remove(meant func(*task) bool) (removed []*task) {
	b.mu.Lock()
	defer b.mu.Unlock()
	waiting := b.tasks[b.head:]
	kept := waiting[:0]
	for _, t := range waiting {
		if meant(t) {
			removed = append(removed, t)
		} else {
			kept = append(kept, t)
		}
	}
	clear(waiting[len(kept):])
	b.tasks = b.tasks[:b.head+len(kept)]
	if len(kept) == 0 {
		b.tasks, b.head = b.tasks[:0], 0
	}
	return removed
}

func (b *backlog) popLocked() *task {
	if b.head == len(b.tasks) {
		return nil
	}
	t := b.tasks[b.head]
	b.tasks[b.head] = nil
	if b.head++; b.head == len(b.tasks) {
		b.tasks, b.head = b.tasks[:0], 0
	}
	return t
}

func (b *backlog) wakeLocked() {
	if b.head < len(b.tasks) && b.asleep > 0 && !b.waking {
		b.waking = true
		b.ready.Signal()
	}
}

// len returns how many tasks wait.
func (b *backlog) len() int {
	b.mu.Lock()
	defer b.mu.Unlock()
	return len(b.tasks) - b.head
}

// close lets the slots return. Tasks that are left, or added later, can be removed.
func (b *backlog) close() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.closed = true
	b.ready.Broadcast()
}
