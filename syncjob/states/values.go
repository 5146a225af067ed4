package states

import (
	"time"

	"github.com/rollcall-go/rollcall/store"
)

// Value describes a value without its data. To read and write values, see syncjob.Manager.Values.
type Value struct {
	Name string          `json:"name"`
	Type store.ValueType `json:"type"`
	// Size is the number of items of a list, of fields of a map, or of bytes of any other value.
	Size    int64     `json:"size"`
	Expires time.Time `json:"expires,omitzero"` // zero for never, or with its run or job
	// Cursor stands behind the value: see syncjob.ValuesOptions.After.
	Cursor string `json:"cursor"`
}
