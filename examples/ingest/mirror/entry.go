package mirror

import (
	"errors"
	"io/fs"
	"slices"
	"syscall"
)

const (
	// keptMode has the bits of a mode that are copied.
	keptMode = fs.ModePerm | fs.ModeSetuid | fs.ModeSetgid | fs.ModeSticky
	// ownerMode has the rights that the owner of a directory needs to write to it.
	ownerMode = 0o700
)

// fileError is an error of one entry only. It is Counted and listed, and the task continues. After
// any other error the task also continues with the other entries, but then the attempt fails: the
// next attempt may find more space on the disk.
type fileError struct{ cause error }

// Error implements error.
func (e *fileError) Error() string { return e.cause.Error() }

// Unwrap returns the cause.
func (e *fileError) Unwrap() error { return e.cause }

// Reasons why a file has no copy.
var (
	errNotDirectory = errors.New("is no longer a directory")
	errSpecial      = errors.New("is neither a file, nor a directory, nor a link")
	errInTheWay     = errors.New("a directory is in its place in the destination")
	errChanged      = errors.New("changed each time that it was copied")
	errNoDirectory  = errors.New("a file is in its place in the destination")
	errShrank       = errors.New("is shorter than its copy, to which only what is new is appended")
	errOtherBegin   = errors.New("does not begin with what its copy has, to which only what is new is appended")
	errOtherType    = errors.New("is not what its copy is, to which only what is new is appended")
)

// lasting has the errors of the destination that a retry does not change.
var lasting = []syscall.Errno{
	syscall.EACCES, syscall.EPERM, syscall.EROFS, syscall.ENAMETOOLONG, syscall.EILSEQ, syscall.EINVAL, syscall.ELOOP,
	syscall.ENOTDIR, syscall.EISDIR, syscall.ENOTEMPTY, syscall.EFBIG, syscall.ENOTSUP, syscall.ETXTBSY, syscall.EMLINK,
}

func lasts(err error) bool {
	return slices.ContainsFunc(lasting, func(no syscall.Errno) bool { return errors.Is(err, no) })
}

// ofEntry turns an error of the destination into an error of the entry, if a retry will not help.
func ofEntry(err error) error {
	var failed *fileError
	var mode *modeError
	if lasts(err) && !errors.As(err, &failed) && !errors.As(err, &mode) {
		return &fileError{err}
	}
	return err
}

// modeError says that a directory exists, but its mode or time cannot be set, because another user
// owns it.
type modeError struct{ cause error }

// Error implements error.
func (e *modeError) Error() string { return e.cause.Error() }

// Unwrap returns the cause.
func (e *modeError) Unwrap() error { return e.cause }
