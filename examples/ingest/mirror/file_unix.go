//go:build unix

package mirror

import (
	"errors"
	"io/fs"
	"os"
	"syscall"
)

// removeFile removes a file or link, and never a directory that has taken its place.
func removeFile(path string) error {
	err := removeBy(syscall.Unlink, "unlink", path)
	if info, missing := os.Lstat(path); err != nil && missing == nil && info.IsDir() {
		return &fs.PathError{Op: "unlink", Path: path, Err: fs.ErrNotExist}
	}
	return err
}

// removeDirectory removes an empty directory, and never a file that has taken its place.
func removeDirectory(path string) error { return removeBy(syscall.Rmdir, "rmdir", path) }

func removeBy(call func(string) error, op, path string) error {
	for {
		err := call(path)
		switch {
		case err == nil:
			return nil
		case !errors.Is(err, syscall.EINTR):
			return &fs.PathError{Op: op, Path: path, Err: err}
		}
	}
}

// sameDevice reports whether two files are on one file system.
func sameDevice(a, b fs.FileInfo) bool {
	one, ok := a.Sys().(*syscall.Stat_t)
	other, also := b.Sys().(*syscall.Stat_t)
	return !ok || !also || one.Dev == other.Dev
}

// hasLinks reports whether a file has more names than one.
func hasLinks(file fs.FileInfo) bool {
	stat, ok := file.Sys().(*syscall.Stat_t)
	return ok && stat.Nlink > 1
}
