package redistest

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"strconv"
	"strings"
	"time"

	"github.com/sethvargo/go-retry"
)

// pong is how the answer to PING begins of a server that serves.
const pong = "+PONG"

// awaitReady returns when this very process answers PING as it should on the port: another server
// may have bound it first.
func (p *process) awaitReady(port int, answer string) error {
	ctx, cancel := context.WithTimeoutCause(context.Background(), readyTimeout, errors.New("not ready in time"))
	defer cancel()
	return eventually(ctx, func(ctx context.Context) error {
		select {
		case <-p.exited:
			return errExited
		default:
		}
		pid, err := probe(ctx, port, answer)
		switch {
		case err != nil:
			return notYet(err)
		case pid != p.cmd.Process.Pid:
			return notYet(fmt.Errorf("process %d answers instead", pid))
		}
		return nil
	})
}

// probe sends PING and asks who answers it.
func probe(ctx context.Context, port int, answer string) (pid int, err error) {
	conn, err := new(net.Dialer).DialContext(ctx, "tcp", net.JoinHostPort(loopback, strconv.Itoa(port)))
	if err != nil {
		return 0, err
	}
	defer func() { _ = conn.Close() }()
	if err := conn.SetDeadline(time.Now().Add(time.Second)); err != nil {
		return 0, err
	}
	if _, err := io.WriteString(conn, "PING\r\nINFO server\r\n"); err != nil {
		return 0, err
	}
	r := bufio.NewReader(conn)
	line, err := r.ReadString('\n')
	if err != nil {
		return 0, err
	}
	if !strings.HasPrefix(line, answer) {
		return 0, fmt.Errorf("answer to PING: %q", line)
	}
	info, err := readFrame(r)
	if err != nil {
		return 0, err
	}
	return strconv.Atoi(parseInfo(string(info.raw))["process_id"])
}

// parseInfo splits the reply of INFO and similar commands into its fields. Over
// RESP3 a verbatim string begins with its format.
func parseInfo(text string) map[string]string {
	fields := make(map[string]string)
	text = strings.TrimPrefix(text, "txt:")
	for line := range strings.Lines(text) {
		if name, value, ok := strings.Cut(strings.TrimSpace(line), ":"); ok {
			fields[name] = value
		}
	}
	return fields
}

// notYet marks an error after which eventually tries again.
func notYet(err error) error { return retry.RetryableError(err) }

// eventually calls fn, with a growing pause between the calls, until it returns something other
// than a notYet error or ctx ends; then the last such error is part of the result.
func eventually(ctx context.Context, fn retry.RetryFunc) error {
	var last error
	pauses := retry.WithCappedDuration(50*time.Millisecond, retry.NewExponential(time.Millisecond))
	err := retry.Do(ctx, pauses, func(ctx context.Context) error {
		last = fn(ctx)
		return last
	})
	if err != nil && ctx.Err() != nil && last != nil {
		return fmt.Errorf("%w: %w", err, errors.Unwrap(last))
	}
	return err
}
