package worker

import "sync"

// backlog is the tasks that were fetched and not started. Slots take them one at a time. One slot
// at most is on its way from sleep to a task, and wakes the next when it gets there: so a crowd
// wakes only as fast as tasks are left over, and short tasks are run by the few slots that are
// awake.
type backlog struct {
	mu     sync.Mutex
	ready  sync.Cond
	tasks  []*task // from head on
	head   int
	asleep int  // slots that wait
	waking bool // one of them was woken and has not looked yet
	closed bool
}

func newBacklog() *backlog {
	b := new(backlog)
	b.ready.L = &b.mu
	return b
}

// add takes tasks in. Suspects go first: they should not wait.
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

// next waits for a task. It returns nil once the backlog is closed, and whether it had to wait.
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

// pop returns a task, nil if there is none.
func (b *backlog) pop() *task {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.popLocked()
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

// len is how many tasks wait.
func (b *backlog) len() int {
	b.mu.Lock()
	defer b.mu.Unlock()
	return len(b.tasks) - b.head
}

// close lets the slots return. What is left, or still added, can be popped.
func (b *backlog) close() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.closed = true
	b.ready.Broadcast()
}
