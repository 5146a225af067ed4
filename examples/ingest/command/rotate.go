package command

import (
	"errors"
	"fmt"
	"os"
	"sync"
)

// oldLogs is how many full files of a log are kept.
const oldLogs = 4

// rotating is a log file that begins anew when it is full. The full ones are FILE.1, the newest, to
// FILE.4. Only one process at a time should write to a file that is rotated.
type rotating struct {
	path string
	most int64 // bytes of a file; 0 for any number

	mu   sync.Mutex
	file *os.File
	size int64
}

func newRotating(path string, most int64) (*rotating, error) {
	r := &rotating{path: path, most: most}
	return r, r.open()
}

func (r *rotating) open() error {
	file, err := os.OpenFile(r.path, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	info, err := file.Stat()
	if err != nil {
		return errors.Join(err, file.Close())
	}
	r.file, r.size = file, info.Size()
	return nil
}

// Write implements io.Writer. A record is never divided.
func (r *rotating) Write(record []byte) (int, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.most > 0 && r.size > 0 && r.size+int64(len(record)) > r.most {
		// If the files cannot be renamed, the log goes on in the full one.
		renamed := errors.Join(r.file.Close(), r.rename())
		if err := r.open(); err != nil {
			return 0, errors.Join(renamed, err)
		}
	}
	n, err := r.file.Write(record)
	r.size += int64(n)
	return n, err
}

// rename makes room for a new file.
func (r *rotating) rename() error {
	for n := oldLogs; n > 0; n-- {
		from := r.path
		if n > 1 {
			from = fmt.Sprintf("%s.%d", r.path, n-1)
		}
		err := os.Rename(from, fmt.Sprintf("%s.%d", r.path, n))
		if err != nil && !errors.Is(err, os.ErrNotExist) {
			return err
		}
	}
	return nil
}

// Close closes the file.
func (r *rotating) Close() error {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.file.Close()
}
