package faults

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"os"
	"os/exec"
	"sync"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"
)

// process is a worker in a process of its own.
type process struct {
	t      *testing.T
	name   string
	cmd    *exec.Cmd
	input  io.Closer // its end asks the worker to drain
	log    logBuffer
	exited chan struct{}
}

// logBuffer keeps what a process logs, to be shown if the test fails.
type logBuffer struct {
	mu    sync.Mutex
	text  bytes.Buffer
	wrote chan struct{} // closed with the next write; nil while nobody waits
}

func (b *logBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.wrote != nil {
		close(b.wrote)
		b.wrote = nil
	}
	return b.text.Write(p)
}

// holds returns nil if the log holds the text, or else what is closed when there is more of it.
func (b *logBuffer) holds(text string) <-chan struct{} {
	b.mu.Lock()
	defer b.mu.Unlock()
	if bytes.Contains(b.text.Bytes(), []byte(text)) {
		return nil
	}
	if b.wrote == nil {
		b.wrote = make(chan struct{})
	}
	return b.wrote
}

func (b *logBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	const most = 8 << 10
	text := b.text.Bytes()
	return string(text[max(0, len(text)-most):])
}

// all is everything that was logged.
func (b *logBuffer) all() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.text.String()
}

// journal is what the test's own process logs.
type journal = logBuffer

// start executes this binary as a worker until the test ends.
func start(t *testing.T, o order) *process {
	t.Helper()
	text, err := json.Marshal(o)
	require.NoError(t, err)
	self, err := os.Executable()
	require.NoError(t, err)
	p := &process{t: t, name: o.Name, cmd: exec.Command(self), exited: make(chan struct{})}
	p.cmd.Env = append(os.Environ(), orderEnv+"="+string(text))
	if o.Certificate != "" {
		p.cmd.Env = append(p.cmd.Env, "SSL_CERT_FILE="+o.Certificate) // that it trusts, and no other
	}
	p.cmd.Stderr = &p.log
	p.input, err = p.cmd.StdinPipe()
	require.NoError(t, err)
	require.NoError(t, p.cmd.Start())
	go func() {
		defer close(p.exited)
		_ = p.cmd.Wait()
	}()
	t.Cleanup(func() {
		p.kill()
		if t.Failed() {
			t.Logf("log of worker %s, process %d:\n%s", p.name, p.cmd.Process.Pid, &p.log)
		}
	})
	return p
}

// awaitLog returns when the process has logged the text.
func (p *process) awaitLog(text string) {
	p.t.Helper()
	ctx, cancel := context.WithTimeout(p.t.Context(), patience)
	defer cancel()
	for more := p.log.holds(text); more != nil; more = p.log.holds(text) {
		select {
		case <-more:
		case <-ctx.Done():
			p.t.Fatalf("worker %s never logged %q:\n%s", p.name, text, &p.log)
		}
	}
}

// kill ends the process with SIGKILL and returns when it is gone.
func (p *process) kill() {
	_ = p.cmd.Process.Kill() // fails only if it is gone
	<-p.exited
}

// pause stops the process with SIGSTOP.
func (p *process) pause() { p.signal(syscall.SIGSTOP) }

// resume lets a paused process go on.
func (p *process) resume() { p.signal(syscall.SIGCONT) }

func (p *process) signal(sig syscall.Signal) {
	p.t.Helper()
	require.NoError(p.t, p.cmd.Process.Signal(sig))
}

// drain asks the worker to leave in order, and requires that it does.
func (p *process) drain() {
	p.t.Helper()
	require.NoError(p.t, p.input.Close())
	<-p.exited
	require.Zero(p.t, p.cmd.ProcessState.ExitCode(), "worker %s did not drain:\n%s", p.name, &p.log)
}

// requireGone returns when the process has ended by itself, with the given status.
func (p *process) requireGone(status int) {
	p.t.Helper()
	<-p.exited
	require.Equal(p.t, status, p.cmd.ProcessState.ExitCode(), "log of worker %s:\n%s", p.name, &p.log)
}
