package states

import (
	"github.com/rollcall-go/rollcall/store/semaphore"
)

// Semaphore is a semaphore that somebody holds or waits for.
type Semaphore struct {
	Key     string             `json:"key"`
	Holders []semaphore.Holder `json:"holders"` // sorted by the end of their leases
	Waiters []semaphore.Waiter `json:"waiters"` // in the line: the first is next
}
