package faults

import (
	"context"
	"strings"
	"sync"
	"testing"

	"github.com/rollcall-go/rollcall/store"
)

// refusals are the failed attempts of calls that the retry layer has repeated.
type refusals struct {
	mu    sync.Mutex
	texts []string
	more  chan struct{} // closed with the next; nil while nobody waits
}

func (r *refusals) note(e store.RetryEvent) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.texts = append(r.texts, e.Err.Error())
	if r.more != nil {
		close(r.more)
		r.more = nil
	}
}

// count is how many had the word in their text.
func (r *refusals) count(word string) int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.countLocked(word)
}

func (r *refusals) countLocked(word string) (n int) {
	for _, text := range r.texts {
		if strings.Contains(text, word) {
			n++
		}
	}
	return n
}

// await returns when so many had the word in their text.
func (r *refusals) await(t *testing.T, word string, n int) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	for {
		r.mu.Lock()
		if r.countLocked(word) >= n {
			r.mu.Unlock()
			return
		}
		if r.more == nil {
			r.more = make(chan struct{})
		}
		more := r.more
		r.mu.Unlock()
		select {
		case <-more:
		case <-ctx.Done():
			t.Fatalf("no call was refused with %q %d times", word, n)
		}
	}
}
