package store

import "context"

// Mode says what workers may fetch.
type Mode string

// The modes.
const (
	ModeReadWrite Mode = "read-write" // everything: the mode of a namespace for which none was ever set
	ModeReadOnly  Mode = "read-only"  // only tasks and hooks of sets that are marked for it; what runs goes on
)

// Validate reports an unknown mode as a [*FieldError] for the field "Mode".
func (m Mode) Validate() error {
	if m != ModeReadWrite && m != ModeReadOnly {
		return &FieldError{Field: "Mode", Reason: "is neither ModeReadWrite nor ModeReadOnly"}
	}
	return nil
}

// Modes keeps the mode of each partition. Fetch heeds it from the next call on.
type Modes interface {
	// SetMode sets the mode of a partition and signals it. It is absolute.
	SetMode(ctx context.Context, partition int, m Mode) error

	// Mode reads the mode of a partition.
	Mode(ctx context.Context, partition int) (Mode, error)
}
