package redistest

import (
	"bufio"
	"bytes"
	"fmt"
	"slices"
	"strings"
)

// Command is a request as a [Fault] sees it.
type Command struct {
	Name string   // in upper case, for example "EVALSHA"
	Args [][]byte // what follows the name; they must not be changed
	raw  []byte
}

// Named matches the commands of the given names, which are in upper case.
func Named(names ...string) func(Command) bool {
	return func(c Command) bool { return slices.Contains(names, c.Name) }
}

// Work matches every command but those by which clients set connections up,
// check them, learn the topology and subscribe.
func Work(c Command) bool {
	switch c.Name {
	case "HELLO", "AUTH", "SELECT", "CLIENT", "PING", "QUIT", "RESET", "READONLY", "READWRITE", "CLUSTER", "ROLE":
		return false
	}
	return !c.subscribes()
}

// subscribes reports whether the command is answered by one push for each of
// its channels instead of a reply.
func (c Command) subscribes() bool {
	return strings.HasSuffix(c.Name, "SUBSCRIBE")
}

// readCommand reads one request: an array of bulk strings, or a line of words. A request
// of no words has no name, and servers do not answer it.
func readCommand(r *bufio.Reader) (Command, error) {
	first, err := r.Peek(1)
	if err != nil {
		return Command{}, err
	}
	var words [][]byte
	var raw []byte
	if first[0] == '*' {
		f, err := readFrame(r)
		if err != nil {
			return Command{}, err
		}
		raw = f.raw
		if words, err = bulkStrings(raw); err != nil {
			return Command{}, err
		}
	} else {
		if raw, err = r.ReadBytes('\n'); err != nil {
			return Command{}, err
		}
		words = bytes.Fields(raw)
	}
	c := Command{raw: raw}
	if len(words) > 0 {
		c.Name, c.Args = strings.ToUpper(string(words[0])), words[1:]
	}
	return c, nil
}

// bulkStrings returns the elements of a whole array, or push, of bulk strings.
func bulkStrings(raw []byte) ([][]byte, error) {
	header, rest, _ := bytes.Cut(raw[1:], []byte("\r\n"))
	n, err := parseLength(string(header))
	if err != nil {
		return nil, err
	}
	var words [][]byte
	for range n {
		size, after, _ := bytes.Cut(rest, []byte("\r\n"))
		if len(size) == 0 || size[0] != '$' {
			return nil, fmt.Errorf("%w: %q in a request", errFrame, size)
		}
		length, err := parseLength(string(size[1:]))
		if err != nil || length < 0 || length+2 > len(after) {
			return nil, fmt.Errorf("%w: %q in a request", errFrame, size)
		}
		words = append(words, after[:length:length])
		rest = after[length+2:]
	}
	return words, nil
}

// pushName is the first element of a push in upper case: what it is about.
func pushName(f frame) string {
	_, rest, _ := bytes.Cut(f.raw[f.value:], []byte("\r\n"))
	_, rest, _ = bytes.Cut(rest, []byte("\r\n"))
	name, _, _ := bytes.Cut(rest, []byte("\r\n"))
	return strings.ToUpper(string(name))
}
