//go:build !unix

package mirror

import (
	"io/fs"
	"os"
)

// removeFile removes a file or link.
func removeFile(path string) error { return os.Remove(path) }

// removeDirectory removes an empty directory.
func removeDirectory(path string) error { return os.Remove(path) }

// sameDevice reports whether two files are on one file system, as far as this system says.
func sameDevice(_, _ fs.FileInfo) bool { return true }

// hasLinks reports whether a file has more names than one, as far as this system says.
func hasLinks(fs.FileInfo) bool { return false }
