package mirror

import (
	"os"
	"syscall"
	"time"
)

// The range of times in a 64-bit number of nanoseconds since 1970. os.Chtimes uses such a number.
var (
	firstNano = time.Unix(0, -1<<63)
	lastNano  = time.Unix(0, 1<<63-1)
)

// setModified sets the modification time of a file, to any year that the file system supports.
func setModified(path string, modified time.Time) error {
	if !modified.Before(firstNano) && !modified.After(lastNano) {
		return os.Chtimes(path, time.Time{}, modified)
	}
	err := syscall.UtimesNano(path, []syscall.Timespec{timespec(time.Now()), timespec(modified)})
	if err != nil {
		return &os.PathError{Op: "chtimes", Path: path, Err: err}
	}
	return nil
}

func timespec(t time.Time) (ts syscall.Timespec) {
	set(&ts.Sec, t.Unix())
	set(&ts.Nsec, int64(t.Nanosecond()))
	return ts
}

// set assigns to a field. The size of the field depends on the machine.
func set[T int32 | int64](field *T, value int64) { *field = T(value) }
