package redistest

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"strconv"
)

// Limits of a frame. They are far above what tests send, and keep hostile input from
// exhausting memory or the stack.
const (
	maxFrame = 512 << 20
	maxDepth = 64
)

// errFrame reports bytes that are not RESP.
var errFrame = errors.New("malformed RESP")

// frame is one whole RESP2 or RESP3 value.
type frame struct {
	raw   []byte // its bytes unchanged, attributes first if it has any
	value int    // where the value itself begins
}

// kind is the byte that tells the type of the value.
func (f frame) kind() byte { return f.raw[f.value] }

// readFrame reads one value. An end of input before the first byte is io.EOF, within the
// value io.ErrUnexpectedEOF.
func readFrame(r *bufio.Reader) (frame, error) {
	var raw bytes.Buffer
	for {
		next, err := r.Peek(1)
		if err != nil {
			return frame{}, within(raw.Len(), err)
		}
		isAttribute, start := next[0] == '|', raw.Len()
		if err := copyValue(&raw, r, maxDepth); err != nil {
			return frame{}, within(1, err)
		}
		if !isAttribute {
			return frame{raw: raw.Bytes(), value: start}, nil
		}
	}
}

// within turns an end of input after the first of n bytes into an unexpected one.
func within(n int, err error) error {
	if n > 0 && errors.Is(err, io.EOF) {
		return io.ErrUnexpectedEOF
	}
	return err
}

// copyValue copies one value and all that belongs to it.
func copyValue(raw *bytes.Buffer, r *bufio.Reader, depth int) error {
	if depth == 0 {
		return fmt.Errorf("%w: nested too deeply", errFrame)
	}
	header, err := copyLine(raw, r)
	if err != nil {
		return err
	}
	switch kind, rest := header[0], string(header[1:]); kind {
	case '+', '-', ':', '_', ',', '#', '(': // the line is the value
		return nil
	case '$', '=', '!': // bulk string, verbatim string, bulk error
		if kind == '$' && rest == "?" {
			return copyChunks(raw, r)
		}
		n, err := parseLength(rest)
		if err != nil || n < 0 {
			return err
		}
		return copyBody(raw, r, n)
	case '*', '~', '>': // array, set, push
		return copyElements(raw, r, rest, 1, depth)
	case '%', '|': // map; attributes, which precede the value they belong to
		return copyElements(raw, r, rest, 2, depth)
	default:
		return fmt.Errorf("%w: type %q", errFrame, kind)
	}
}

// copyElements copies the values of an aggregate; each entry counts as that many.
func copyElements(raw *bytes.Buffer, r *bufio.Reader, count string, each, depth int) error {
	if count == "?" { // of unknown length, ended by a line of its own
		for {
			next, err := r.Peek(1)
			if err != nil {
				return err
			}
			if next[0] == '.' {
				_, err := copyLine(raw, r)
				return err
			}
			if err := copyElement(raw, r, depth); err != nil {
				return err
			}
		}
	}
	n, err := parseLength(count)
	if err != nil {
		return err
	}
	for range n * each { // a negative length is a null
		if err := copyElement(raw, r, depth); err != nil {
			return err
		}
	}
	return nil
}

// copyElement copies one value within an aggregate, and the attributes before it.
func copyElement(raw *bytes.Buffer, r *bufio.Reader, depth int) error {
	for {
		next, err := r.Peek(1)
		if err != nil {
			return err
		}
		isAttribute := next[0] == '|'
		if err := copyValue(raw, r, depth-1); err != nil || !isAttribute {
			return err
		}
	}
}

// copyChunks copies the parts of a streamed string up to the empty one.
func copyChunks(raw *bytes.Buffer, r *bufio.Reader) error {
	for {
		header, err := copyLine(raw, r)
		if err != nil {
			return err
		}
		if header[0] != ';' {
			return fmt.Errorf("%w: %q in a streamed string", errFrame, header)
		}
		n, err := parseLength(string(header[1:]))
		if err != nil || n <= 0 {
			return err
		}
		if err := copyBody(raw, r, n); err != nil {
			return err
		}
	}
}

// copyBody copies n bytes and the line end after them.
func copyBody(raw *bytes.Buffer, r *bufio.Reader, n int) error {
	if raw.Len()+n > maxFrame {
		return fmt.Errorf("%w: frame is too large", errFrame)
	}
	if _, err := io.CopyN(raw, r, int64(n)); err != nil {
		return err
	}
	var end [2]byte
	if _, err := io.ReadFull(r, end[:]); err != nil {
		return err
	}
	raw.Write(end[:])
	if string(end[:]) != "\r\n" {
		return fmt.Errorf("%w: no line end after a body", errFrame)
	}
	return nil
}

// copyLine copies a line and returns it without its end. It has at least one byte.
func copyLine(raw *bytes.Buffer, r *bufio.Reader) ([]byte, error) {
	start := raw.Len()
	for {
		part, err := r.ReadSlice('\n')
		raw.Write(part)
		if err == nil {
			break
		}
		if !errors.Is(err, bufio.ErrBufferFull) {
			return nil, err
		}
		if raw.Len() > maxFrame {
			return nil, fmt.Errorf("%w: frame is too large", errFrame)
		}
	}
	line, ok := bytes.CutSuffix(raw.Bytes()[start:], []byte("\r\n"))
	if !ok || len(line) == 0 {
		return nil, fmt.Errorf("%w: line %q", errFrame, line)
	}
	return line, nil
}

// parseLength reads the length of a body or an aggregate; -1 stands for a null.
func parseLength(s string) (int, error) {
	n, err := strconv.Atoi(s)
	if err != nil || n < -1 || n > maxFrame {
		return 0, fmt.Errorf("%w: length %q", errFrame, s)
	}
	return n, nil
}
