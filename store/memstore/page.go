package memstore

import (
	"github.com/rollcall-go/rollcall/store"

	"github.com/rollcall-go/rollcall/store/bounds"
)

// page limits the answer of one call to about [bounds.PageBytes], or to one item that is larger.
type page struct {
	left  int
	begun bool
	full  bool
}

func newPage() *page { return &page{left: bounds.PageBytes} }

// fits adds the next item, unless the page is full.
func (p *page) fits(size int) bool {
	if p.left -= size; p.left < 0 && p.begun {
		p.full = true
	}
	p.begun = true
	return !p.full
}

// taskBytes returns the size of the data of a task that the caller chose.
func taskBytes(t *store.Task) int { return len(t.ID) + len(t.Payload) + len(t.Attributes) }
