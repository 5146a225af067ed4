//go:build unix

package main

import (
	"fmt"
	"os"
	"os/exec"
	"syscall"
)

// own puts a process into a group of its own: an interrupt from the keyboard is for the supervisor,
// which then stops the others in order.
func own(cmd *exec.Cmd) { cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true} }

// occupy locks a file until it is closed or the process has died. Of those that have the same place
// only one can: the system itself checks what the gate promises.
func occupy(path string) (*os.File, error) {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, err
	}
	if err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		_ = f.Close()
		return nil, fmt.Errorf("%s is taken: %w", path, err)
	}
	return f, nil
}
