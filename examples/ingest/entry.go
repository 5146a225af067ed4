package main

import (
	"errors"
	"slices"
	"syscall"
)

// fileError is an error that concerns one entry and no more: it is counted and listed, and the task
// goes on. After any other error of an entry the task goes on with the others, too, and then fails
// its attempt: the next may find the disk less full.
type fileError struct{ cause error }

// Error implements error.
func (e *fileError) Error() string { return e.cause.Error() }

// Unwrap returns what happened.
func (e *fileError) Unwrap() error { return e.cause }

// lasting are what the destination says of an entry that it will not take, however often it is
// tried.
var lasting = []syscall.Errno{
	syscall.EACCES, syscall.EPERM, syscall.EROFS, syscall.ENAMETOOLONG, syscall.EILSEQ, syscall.EINVAL, syscall.ELOOP,
	syscall.ENOTDIR, syscall.EISDIR, syscall.ENOTEMPTY, syscall.EFBIG, syscall.ENOTSUP, syscall.ETXTBSY, syscall.EMLINK,
}

func lasts(err error) bool {
	return slices.ContainsFunc(lasting, func(no syscall.Errno) bool { return errors.Is(err, no) })
}

// ofEntry makes an error of the destination one of the entry, if trying again will not help.
func ofEntry(err error) error {
	var failed *fileError
	var mode *modeError
	if lasts(err) && !errors.As(err, &failed) && !errors.As(err, &mode) {
		return &fileError{err}
	}
	return err
}

// modeError says that a directory is there and cannot be given its mode or time, as it is somebody
// else's.
type modeError struct{ cause error }

// Error implements error.
func (e *modeError) Error() string { return e.cause.Error() }

// Unwrap returns what happened.
func (e *modeError) Unwrap() error { return e.cause }
