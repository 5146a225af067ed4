//go:build linux || freebsd || darwin

package mirror

import (
	"errors"
	"math"
	"os"
	"runtime"
	"syscall"
)

// whences returns the arguments of lseek that find the next data and the next hole.
func whences() (data, hole int) {
	if runtime.GOOS == "darwin" {
		return 4, 3
	}
	return 3, 4
}

// extent returns the next piece of a file, at or after a position, that is not a hole. If no such
// piece is left, more is false. On a file system without holes, and in
// another source, the file is one piece.
func extent(in File, at int64) (from, to int64, more bool) {
	f, ok := in.(*os.File)
	if !ok {
		return at, math.MaxInt64, true
	}
	data, hole := whences()
	from, err := f.Seek(at, data)
	if errors.Is(err, syscall.ENXIO) {
		return 0, 0, false
	}
	if err == nil {
		to, err = f.Seek(from, hole)
	}
	if err != nil || to <= from {
		return at, math.MaxInt64, true
	}
	return from, to, true
}
