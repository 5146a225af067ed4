// Package taskid makes the IDs of tasks for which callers chose none. Such an ID begins with the
// time at which it was made, so a store can guess where its task waits among a million others.
package taskid

import (
	"math/rand/v2"
	"strings"
	"time"
)

const (
	alphabet = "0123456789abcdefghjkmnpqrstvwxyz" // each character has 5 bits
	ofTime   = 9                                  // characters for ms since 1970: for 1,000 years
	length   = 20
)

// New returns an ID that was made at a time: 45 bits of that time in ms, and 55 random bits. These
// make it unique; they are no secret, so the runtime's generator is good enough.
func New(now time.Time) string {
	var id [length]byte
	put(id[:ofTime], uint64(max(now.UnixMilli(), 0)))
	put(id[ofTime:], rand.Uint64())
	return string(id[:])
}

func put(id []byte, bits uint64) {
	for i := len(id) - 1; i >= 0; i-- {
		id[i] = alphabet[bits&31]
		bits >>= 5
	}
}

// Made returns when an ID was made; ok is false if New does not make IDs like this.
func Made(id string) (at time.Time, ok bool) {
	if len(id) != length {
		return at, false
	}
	var ms int64
	for i := range length {
		bits := strings.IndexByte(alphabet, id[i])
		if bits < 0 {
			return at, false
		}
		if i < ofTime {
			ms = ms<<5 | int64(bits)
		}
	}
	return time.UnixMilli(ms), true
}
