//go:build !(linux || freebsd || darwin)

package mirror

import "math"

// extent returns the rest of a file as one piece, because this system does not report holes.
func extent(_ File, at int64) (from, to int64, more bool) { return at, math.MaxInt64, true }
