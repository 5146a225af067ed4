package faults

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"net"
	"strconv"
	"strings"
	"sync"
)

// ledger is a worker's line to the server that witnesses what handlers do. It speaks
// the protocol by itself: what the library's client loses must not be lost here.
type ledger struct {
	addr, namespace string
	worker          string

	mu     sync.Mutex
	conn   net.Conn
	reader *bufio.Reader
}

func openLedger(addr, namespace, worker string) (*ledger, error) {
	conn, err := net.Dial("tcp", addr)
	if err != nil {
		return nil, fmt.Errorf("connect to the ledger: %w", err)
	}
	return &ledger{addr: addr, namespace: namespace, worker: worker, conn: conn, reader: bufio.NewReader(conn)}, nil
}

func (l *ledger) close() { _ = l.conn.Close() }

// note writes one event. Once it returns, the event outlives this process.
func (l *ledger) note(e event) error {
	_, err := l.do("XADD", l.namespace+":events", "*",
		"what", e.What, "run", strconv.FormatInt(e.Run, 10), "path", e.Path, "task", e.Task,
		"retry", strconv.Itoa(e.Retry), "worker", l.worker, "text", e.Text)
	return err
}

// count adds one to a counter that all workers share, and returns it.
func (l *ledger) count(name string) (int, error) {
	reply, err := l.do("HINCRBY", l.namespace+":counts", name, "1")
	if err != nil {
		return 0, err
	}
	return strconv.Atoi(strings.TrimPrefix(reply, ":"))
}

// has reports whether a counter was ever set.
func (l *ledger) has(name string) (bool, error) {
	reply, err := l.do("HEXISTS", l.namespace+":counts", name)
	return reply == ":1", err
}

// do makes one round trip and returns the first line of the reply.
func (l *ledger) do(words ...string) (string, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if _, err := l.conn.Write(command(words)); err != nil {
		return "", fmt.Errorf("write to the ledger: %w", err)
	}
	line, err := readLine(l.reader)
	if err == nil && line[0] == '$' {
		_, err = readLine(l.reader)
	}
	return line, err
}

// await returns when the gate is open, or with the cause of the context's end.
func (l *ledger) await(ctx context.Context, gate string) error {
	conn, err := new(net.Dialer).DialContext(ctx, "tcp", l.addr)
	if err != nil {
		return fmt.Errorf("connect to the ledger: %w", err)
	}
	defer func() { _ = conn.Close() }()
	defer context.AfterFunc(ctx, func() { _ = conn.Close() })()
	if _, err = conn.Write(command([]string{"XREAD", "BLOCK", "0", "STREAMS", l.gate(gate), "0"})); err == nil {
		_, err = readLine(bufio.NewReader(conn))
	}
	if cause := context.Cause(ctx); cause != nil {
		return cause
	}
	return err
}

func (l *ledger) gate(name string) string { return l.namespace + ":gate:" + name }

func command(words []string) []byte {
	b := fmt.Appendf(nil, "*%d\r\n", len(words))
	for _, w := range words {
		b = fmt.Appendf(b, "$%d\r\n%s\r\n", len(w), w)
	}
	return b
}

func readLine(r *bufio.Reader) (string, error) {
	line, err := r.ReadString('\n')
	if err != nil {
		return "", fmt.Errorf("read from the ledger: %w", err)
	}
	line = strings.TrimSuffix(line, "\r\n")
	if line == "" || line[0] == '-' {
		return "", errors.New("the ledger refused: " + line)
	}
	return line, nil
}
