package memstore

// heap is a binary heap. Its items can know their position. So an item in the middle can be moved
// or removed in logarithmic time.
type heap[T any] struct {
	items []T
	less  func(a, b T) bool
	moved func(item T, to int) // called with every new position; -1 if the item was removed; may be nil
}

func (h *heap[T]) len() int { return len(h.items) }

// top returns the smallest item; the heap must not be empty.
func (h *heap[T]) top() T { return h.items[0] }

func (h *heap[T]) push(item T) {
	h.items = append(h.items, item)
	h.put(len(h.items)-1, item)
	h.up(len(h.items) - 1)
}

func (h *heap[T]) pop() T { return h.remove(0) }

// remove takes out the item at position i.
func (h *heap[T]) remove(i int) T {
	item, last := h.items[i], len(h.items)-1
	if i != last {
		h.put(i, h.items[last])
	}
	var zero T
	h.items[last] = zero // the array must not keep the removed item alive
	h.items = h.items[:last]
	if i != last {
		h.fix(i)
	}
	if h.moved != nil {
		h.moved(item, -1)
	}
	return item
}

// fix restores the order after the item at position i changed.
func (h *heap[T]) fix(i int) {
	if !h.down(i) {
		h.up(i)
	}
}

func (h *heap[T]) put(i int, item T) {
	h.items[i] = item
	if h.moved != nil {
		h.moved(item, i)
	}
}

func (h *heap[T]) swap(i, j int) {
	a, b := h.items[i], h.items[j]
	h.put(i, b)
	h.put(j, a)
}

func (h *heap[T]) up(i int) {
	for i > 0 {
		parent := (i - 1) / 2
		if !h.less(h.items[i], h.items[parent]) {
			return
		}
		h.swap(i, parent)
		i = parent
	}
}

func (h *heap[T]) down(i int) (moved bool) {
	for {
		child := 2*i + 1
		if child >= len(h.items) {
			return moved
		}
		if right := child + 1; right < len(h.items) && h.less(h.items[right], h.items[child]) {
			child = right
		}
		if !h.less(h.items[child], h.items[i]) {
			return moved
		}
		h.swap(i, child)
		i, moved = child, true
	}
}
