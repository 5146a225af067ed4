// Package recent remembers recently used entries in bounded memory.
package recent

import "sync"

// Map holds the entries that were put or found last: at least its limit, at most twice its limit.
// It has two generations. When the younger is full, the older is dropped. A found entry moves to
// the younger. Make one with [New]. Its methods may be called concurrently.
type Map[K comparable, V any] struct {
	limit int

	mu    sync.Mutex
	young map[K]V
	old   map[K]V
}

// New returns an empty map.
func New[K comparable, V any](limit int) *Map[K, V] {
	return &Map[K, V]{limit: limit, young: make(map[K]V)}
}

// Find returns the entry of a key.
func (m *Map[K, V]) Find(key K) (v V, ok bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.findLocked(key)
}

// FindOr returns the entry of a key. If there is none, it keeps and returns one that fresh makes.
func (m *Map[K, V]) FindOr(key K, fresh func() V) (v V, found bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if v, found = m.findLocked(key); !found {
		v = fresh()
		m.putLocked(key, v)
	}
	return v, found
}

// Put keeps an entry. It replaces an entry with the same key.
func (m *Map[K, V]) Put(key K, v V) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.putLocked(key, v)
}

// Forget drops the entry of a key.
func (m *Map[K, V]) Forget(key K) {
	m.mu.Lock()
	defer m.mu.Unlock()
	delete(m.young, key)
	delete(m.old, key)
}

func (m *Map[K, V]) findLocked(key K) (v V, ok bool) {
	if v, ok = m.young[key]; ok {
		return v, true
	}
	if v, ok = m.old[key]; ok {
		m.putLocked(key, v)
	}
	return v, ok
}

func (m *Map[K, V]) putLocked(key K, v V) {
	if _, ok := m.young[key]; !ok && len(m.young) >= m.limit {
		m.old, m.young = m.young, make(map[K]V)
	}
	m.young[key] = v
}
