package memstore

import (
	"github.com/rollcall-go/rollcall/store"

	"github.com/rollcall-go/rollcall/store/bounds"
)

// page bounds what one call answers with to about [bounds.PageBytes], or one item that has more.
type page struct {
	left  int
	begun bool
	full  bool
}

func newPage() *page { return &page{left: bounds.PageBytes} }

// fits takes the next item, unless the page is full.
func (p *page) fits(size int) bool {
	if p.left -= size; p.left < 0 && p.begun {
		p.full = true
	}
	p.begun = true
	return !p.full
}

// taskBytes is what of a task its caller chose.
func taskBytes(t *store.Task) int { return len(t.ID) + len(t.Payload) + len(t.Attributes) }
