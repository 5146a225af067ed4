package script

import (
	"strconv"

	"github.com/rollcall-go/rollcall/store"
)

// Call collects the keys and arguments of one script call.
type Call struct {
	Keys []string
	Args []string
}

// NewCall begins a call with these keys.
func NewCall(keys ...string) *Call { return &Call{Keys: keys} }

// Key adds a key and returns its index in KEYS.
func (c *Call) Key(k string) int {
	c.Keys = append(c.Keys, k)
	return len(c.Keys)
}

// Add adds arguments.
func (c *Call) Add(args ...string) *Call {
	c.Args = append(c.Args, args...)
	return c
}

// Int adds a number as an argument.
func (c *Call) Int(n int) *Call { return c.Add(strconv.Itoa(n)) }

// Int64 adds a number as an argument.
func (c *Call) Int64(n int64) *Call { return c.Add(strconv.FormatInt(n, 10)) }

// Answered adds the numbers of the session's last answered calls.
func (c *Call) Answered(a store.Answered) *Call { return c.Int64(a.Fetched).Int64(a.Settled) }

// Flag adds 1 or 0.
func (c *Call) Flag(b bool) *Call {
	if b {
		return c.Add("1")
	}
	return c.Add("0")
}

// Reserve adds an argument to be set later, and returns its position.
func (c *Call) Reserve() int {
	c.Args = append(c.Args, "")
	return len(c.Args) - 1
}

// Set sets a reserved argument.
func (c *Call) Set(position, n int) { c.Args[position] = strconv.Itoa(n) }
