package stream_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"testing/synctest"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/rollcall-go/rollcall/internal/lifecycle"
	"github.com/rollcall-go/rollcall/internal/stream"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var (
	errClosed    = errors.New("closed")
	errForgotten = errors.New("forgotten")
)

// word is a request that is answered with its position in its batch.
type word struct {
	stream.Call
	text  string
	reply string
}

// line records what it is asked.
type line struct {
	most int // requests in a batch
	gate chan struct{}
	fail func(call int) error

	mu     sync.Mutex
	names  []string
	closed []string
	calls  []string // "stream number: words"
}

func (l *line) Open(_ context.Context, stream string) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.names = append(l.names, stream)
	return nil
}

func (l *line) Close(_ context.Context, stream string) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.closed = append(l.closed, stream)
	return nil
}

func (l *line) Take(waiting []*word) int { return min(len(waiting), l.most) }

func (l *line) Send(_ context.Context, stream string, number int64, batch []*word) error {
	if l.gate != nil {
		<-l.gate
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	call := fmt.Sprintf("%d %d:", len(l.names), number)
	if stream != l.names[len(l.names)-1] {
		return errors.New("a stream that was not opened last")
	}
	for _, w := range batch {
		call += " " + w.text
	}
	l.calls = append(l.calls, call)
	if l.fail != nil {
		if err := l.fail(len(l.calls)); err != nil {
			return err
		}
	}
	for i, w := range batch {
		w.reply = fmt.Sprint(i)
	}
	return nil
}

func (l *line) Forgot(err error) bool { return errors.Is(err, errForgotten) }

func TestRequestsThatGatherGoTogether(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := &line{most: 2, gate: make(chan struct{})}
		group := lifecycle.New(t.Context())
		s := stream.New(l, group, errClosed)
		words := make([]*word, 4)
		var callers sync.WaitGroup
		for i := range words {
			words[i] = &word{text: fmt.Sprint(i)}
			callers.Go(func() { _ = s.Do(t.Context(), words[i]) })
			synctest.Wait() // in order
		}
		close(l.gate)
		callers.Wait()
		require.Equal(t, []string{"1 1: 0", "1 2: 1 2", "1 3: 3"}, l.calls)
		require.Equal(t, "1", words[2].reply)
		require.Empty(t, l.closed)
		s.Close()
		s.Close()
		group.Wait()
		require.Equal(t, l.names, l.closed, "the store may forget it")
		require.ErrorIs(t, s.Do(t.Context(), &word{}), errClosed)
	})
}

func TestAStreamThatIsClosedWhileItSendsLeavesWithItsLastRequest(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := &line{most: 2, gate: make(chan struct{})}
		group := lifecycle.New(t.Context())
		s, unused := stream.New(l, group, errClosed), stream.New(l, group, errClosed)
		var callers sync.WaitGroup
		callers.Go(func() { require.NoError(t, s.Do(t.Context(), &word{text: "a"})) })
		synctest.Wait()
		s.Close()
		unused.Close()
		require.Empty(t, l.closed)
		close(l.gate)
		callers.Wait()
		group.Wait()
		require.Equal(t, l.names, l.closed)
	})
}

func TestACallerThatGivesUpIsForgottenUnlessItWasSent(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := &line{most: 1, gate: make(chan struct{})}
		group := lifecycle.New(t.Context())
		s := stream.New(l, group, errClosed)
		ctx, cancel := context.WithCancel(t.Context())
		var callers sync.WaitGroup
		for _, text := range []string{"sent", "withdrawn"} {
			callers.Go(func() { _ = s.Do(ctx, &word{text: text}) })
			synctest.Wait()
		}
		cancel()
		callers.Wait()
		close(l.gate)
		group.Wait()
		require.Equal(t, []string{"1 1: sent"}, l.calls)
		require.ErrorIs(t, s.Do(ctx, &word{}), context.Canceled)
		require.ErrorIs(t, s.Do(t.Context(), &word{}), errClosed)
	})
}

func TestAFailureEndsTheStreamAndNoOther(t *testing.T) {
	broken := errors.New("broken")
	l := &line{most: 1, fail: func(call int) error {
		switch call {
		case 2:
			return broken
		case 4:
			return errForgotten
		}
		return nil
	}}
	group := lifecycle.New(t.Context())
	s := stream.New(l, group, errClosed)
	require.NoError(t, s.Do(t.Context(), &word{text: "a"}))
	require.ErrorIs(t, s.Do(t.Context(), &word{text: "b"}), broken)
	require.NoError(t, s.Do(t.Context(), &word{text: "c"}))
	require.NoError(t, s.Do(t.Context(), &word{text: "d"}), "of a stream that was forgotten nothing is applied")
	require.Equal(t, []string{"1 1: a", "1 2: b", "2 1: c", "2 2: d", "3 1: d"}, l.calls)
	group.Wait()
}
