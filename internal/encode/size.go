package encode

import "github.com/rollcall-go/rollcall/store"

// Size is roughly how many bytes an item takes in a call of the store.
func Size(it store.Item) int {
	n := 64 + len(it.Task.ID) + len(it.Task.Payload) + len(it.Task.Attributes)
	for key, value := range it.Task.Headers {
		n += len(key) + len(value)
	}
	return n
}
