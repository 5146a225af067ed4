package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"slices"
	"strings"
	"sync"
	"syscall"
	"time"
)

// crew is the members that run.
type crew struct {
	begun time.Time

	mu      sync.Mutex
	members []*member     // in the order in which they began to work
	changed chan struct{} // closed, and made anew, when a member has said something, or has ended
	fault   error         // the first that a member told of

	killed map[string]bool
}

// member is a process.
type member struct {
	name   string
	cmd    *exec.Cmd
	ready  chan struct{} // closed when it stands by
	ended  chan struct{} // closed when it has ended
	err    error         // of its end
	active bool          // it has a place
}

func newCrew() *crew {
	return &crew{begun: time.Now(), changed: make(chan struct{}), killed: make(map[string]bool)}
}

// say prints a line.
func (c *crew) say(format string, args ...any) {
	fmt.Printf("%6.2f s  %s\n", time.Since(c.begun).Seconds(), fmt.Sprintf(format, args...))
}

// start starts a member and waits until it stands by.
func (c *crew) start(ctx context.Context, name string, flags []string) error {
	binary, err := os.Executable()
	if err != nil {
		return err
	}
	p := &member{name: name, ready: make(chan struct{}), ended: make(chan struct{})}
	p.cmd = exec.Command(binary, flags...) //nolint:noctx // it is asked to stop, not killed
	p.cmd.Stderr = os.Stderr
	own(p.cmd)
	if _, err = p.cmd.StdinPipe(); err != nil { // it is closed when this process ends
		return err
	}
	out, err := p.cmd.StdoutPipe()
	if err != nil {
		return err
	}
	if err := p.cmd.Start(); err != nil {
		return err
	}
	c.mu.Lock()
	c.members = append(c.members, p)
	c.mu.Unlock()
	go c.follow(p, out)
	select {
	case <-p.ready:
		return nil
	case <-p.ended:
		return fmt.Errorf("%s: %w", name, errors.Join(p.err, errors.New("has ended at once")))
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// follow prints what a member says, until it ends.
func (c *crew) follow(p *member, out io.Reader) {
	for lines := bufio.NewScanner(out); lines.Scan(); {
		line := lines.Text()
		c.say("%s %s", p.name, line)
		if line == standsBy {
			close(p.ready)
		}
		c.change(func() {
			p.active = strings.HasPrefix(line, works)
			if strings.HasPrefix(line, failed) && c.fault == nil {
				c.fault = fmt.Errorf("%s %s", p.name, line)
			}
		})
	}
	p.err = p.cmd.Wait()
	c.change(func() {
		c.members = slices.DeleteFunc(c.members, func(m *member) bool { return m == p })
	})
	close(p.ended)
}

func (c *crew) change(do func()) {
	c.mu.Lock()
	defer c.mu.Unlock()
	do()
	close(c.changed)
	c.changed = make(chan struct{})
}

// oldest returns the oldest member that works, or a channel that is closed when there may be one.
func (c *crew) oldest() (*member, <-chan struct{}) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, p := range c.members {
		if p.active {
			return p, nil
		}
	}
	return nil, c.changed
}

// retire ends the oldest member that works.
func (c *crew) retire(ctx context.Context, kill bool) error {
	p, changed := c.oldest()
	for ; p == nil; p, changed = c.oldest() {
		select {
		case <-changed:
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
	asked := time.Now()
	if kill {
		c.killed[p.name] = true
		_ = p.cmd.Process.Kill()
		<-p.ended
		c.say("%s was killed", p.name)
		return nil
	}
	_ = p.cmd.Process.Signal(syscall.SIGTERM)
	<-p.ended
	c.say("%s stopped within %d ms", p.name, time.Since(asked).Milliseconds())
	return p.err
}

// stopAll ends all members at once, and reports what went wrong with any that was.
func (c *crew) stopAll() error {
	c.mu.Lock()
	rest := slices.Clone(c.members)
	c.mu.Unlock()
	for _, p := range rest {
		select { // until then the signal would kill it
		case <-p.ready:
		case <-p.ended:
		}
		_ = p.cmd.Process.Signal(syscall.SIGTERM)
	}
	var problems []error
	for _, p := range rest {
		if <-p.ended; p.err != nil {
			problems = append(problems, fmt.Errorf("%s: %w", p.name, p.err))
		}
	}
	c.say("%d members stopped", len(rest))
	return errors.Join(append(problems, c.fault)...)
}
