package states

import (
	"time"
)

// String says what is paused, since when, by whom and why.
func (p Pause) String() string {
	text := p.Scope.String() + " is paused"
	if !p.Since.IsZero() {
		text += " since " + p.Since.UTC().Format(time.RFC3339)
	}
	if p.By != "" {
		text += " by " + p.By
	}
	if p.Reason != "" {
		text += ": " + p.Reason
	}
	return text
}
