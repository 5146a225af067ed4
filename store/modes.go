package store

import "context"

// Mode says which tasks workers may fetch.
type Mode string

// The modes.
const (
	ModeReadWrite Mode = "read-write" // everything; the default
	ModeReadOnly  Mode = "read-only"  // only tasks and hooks of sets that a fetch names in InReadOnly; running tasks go on
)

// Validate reports an unknown mode as a [*FieldError] for the field "Mode".
func (m Mode) Validate() error {
	if m != ModeReadWrite && m != ModeReadOnly {
		return &FieldError{Field: "Mode", Reason: "is neither ModeReadWrite nor ModeReadOnly"}
	}
	return nil
}

// Modes keeps the mode of each partition. Every later Fetch obeys it.
type Modes interface {
	// SetMode sets the mode of a partition and signals it. A repeat changes nothing.
	SetMode(ctx context.Context, partition int, m Mode) error

	// Mode reads the mode of a partition.
	Mode(ctx context.Context, partition int) (Mode, error)
}
