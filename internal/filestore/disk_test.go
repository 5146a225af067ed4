package filestore_test

import (
	"bufio"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/rollcall-go/rollcall/internal/filestore"
	"github.com/rollcall-go/rollcall/store"
)

// file is where a test has its store.
func file(tb testing.TB) string { return filepath.Join(tb.TempDir(), "rollcall.json") }

func opened(tb testing.TB, path string) store.Store {
	tb.Helper()
	s, err := filestore.Open(path, &filestore.Options{Sync: true})
	require.NoError(tb, err)
	tb.Cleanup(func() { _ = s.Close() })
	return s
}

// stream begins an open run and a stream of tasks for it.
type stream struct {
	s   store.Store
	run store.RunID
	n   int64
}

func begin(ctx context.Context, s store.Store) (*stream, error) {
	reply, err := s.StartRun(ctx, store.StartParams{
		Job: "import", Token: "t", Set: "ingest", Open: true, Weight: 1, Retention: 1, FailureCap: 1,
	})
	if err == nil {
		err = s.OpenProducer(ctx, 0, "stream")
	}
	return &stream{s: s, run: reply.Run}, err
}

// next adds a task.
func (p *stream) next(ctx context.Context, payload int) (store.EnqueueReply, error) {
	p.n++
	return p.again(ctx, payload)
}

func (p *stream) again(ctx context.Context, payload int) (store.EnqueueReply, error) {
	return p.s.Enqueue(ctx, store.EnqueueParams{Stream: "stream", Number: p.n, Entries: []store.Entry{{Run: p.run, Item: store.Item{
		Route: store.Route{Queue: "q", Set: "ingest", Kind: "file"}, Task: store.Task{ID: fmt.Sprint(p.n), Payload: make([]byte, payload)},
	}}}})
}

func (p *stream) pending(tb testing.TB) int64 {
	tb.Helper()
	rec, err := p.s.Run(tb.Context(), p.run)
	require.NoError(tb, err)
	return rec.Counts.Pending
}

func TestAStoreGoesOnWhereItsFileEnds(t *testing.T) {
	path := file(t)
	s := opened(t, path)
	p, err := begin(t.Context(), s)
	require.NoError(t, err)
	first, err := p.next(t.Context(), 0)
	require.NoError(t, err)
	require.NoError(t, s.Close())

	p.s = opened(t, path)
	require.EqualValues(t, 1, p.pending(t))
	again, err := p.again(t.Context(), 0)
	require.NoError(t, err)
	require.Equal(t, first, again, "a repeat is known")
	require.EqualValues(t, 1, p.pending(t))
	_, err = p.next(t.Context(), 0)
	require.NoError(t, err, "and the stream goes on")
	require.EqualValues(t, 2, p.pending(t))
}

func TestARepeatGetsTheSameErrorsFromTheFile(t *testing.T) {
	b := backend(t, file(t))
	p, err := begin(t.Context(), store.Checked(b))
	require.NoError(t, err)
	unknown := store.RunID{Job: "import", Number: 1}
	enqueue := store.EnqueueParams{
		Stream: "stream", Number: 1, Holds: []store.HoldChange{{Run: p.run, Name: "h"}, {Run: unknown, Name: "h"}},
		Entries: []store.Entry{{Run: unknown, Item: store.Item{Route: store.Route{Queue: "q", Set: "s", Kind: "k"}}}},
	}
	enqueued, err := p.s.Enqueue(t.Context(), enqueue)
	require.NoError(t, err)
	require.ErrorIs(t, enqueued.Entries[0].Err, store.ErrRunNotFound)
	require.NoError(t, b.Reread())
	again, err := p.s.Enqueue(t.Context(), enqueue)
	require.NoError(t, err)
	require.Equal(t, enqueued, again)

	scope, data := store.NamespaceScope(0), []store.Datum{{Bytes: []byte("1")}}
	write := store.WriteParams{Stream: "stream", Number: 2, Writes: []store.Write{
		{Scope: scope, Name: "v", Type: store.ValueList, Op: store.WriteAppend, Data: data},
		{Scope: scope, Name: "v", Type: store.ValueCounter, Op: store.WriteAdd, Data: data},
		{Scope: store.JobScope("nobody"), Name: "v", Type: store.ValueCounter, Op: store.WriteAdd, Data: data},
	}}
	written, err := p.s.WriteValues(t.Context(), write)
	require.NoError(t, err)
	require.ErrorIs(t, written.Results[1].Err, store.ErrWrongType)
	require.ErrorIs(t, written.Results[2].Err, store.ErrJobNotFound)
	require.NoError(t, b.Reread())
	rewritten, err := p.s.WriteValues(t.Context(), write)
	require.NoError(t, err)
	require.Equal(t, written, rewritten)
}

func TestWhatIsPartlyWrittenIsIgnored(t *testing.T) {
	path := file(t)
	p, err := begin(t.Context(), opened(t, path))
	require.NoError(t, err)
	require.NoError(t, p.s.Close())
	whole, err := os.ReadFile(path)
	require.NoError(t, err)
	last := whole[strings.LastIndexByte(strings.TrimSuffix(string(whole), "\n"), '\n')+1:]
	for _, n := range []int{1, len(last) / 2, len(last) - 1} {
		require.NoError(t, os.WriteFile(path, append(whole[:len(whole):len(whole)], last[:n]...), 0o600))
		p.s = opened(t, path)
		require.Zero(t, p.pending(t))
		p.n = 0
		require.NoError(t, p.s.CloseProducer(t.Context(), 0, "stream"))
		require.NoError(t, p.s.Close())
		p.s = opened(t, path)
		_, err = p.next(t.Context(), 0)
		require.ErrorIs(t, err, store.ErrResultUnknown, "what was written over it is there")
		require.NoError(t, p.s.Close())
	}
}

func TestAFileThatIsNoStoreIsRefused(t *testing.T) {
	for name, text := range map[string]string{
		"no JSON": "hello\n", "other text": "hello", "part of another format": `{"Format":2,`,
		"of another version": `{"Format":2}` + "\n", "of no version": "{}\n",
	} {
		path := file(t)
		require.NoError(t, os.WriteFile(path, []byte(text), 0o600))
		_, err := filestore.Open(path, nil)
		require.ErrorIs(t, err, store.ErrCorrupt, name)
		after, err := os.ReadFile(path)
		require.NoError(t, err)
		require.Equal(t, text, string(after), name)
	}
	_, err := filestore.Open(t.TempDir(), nil)
	require.Error(t, err, "a directory")
}

func TestAFileOfWhichTheFirstStateIsNotWholeIsEmpty(t *testing.T) {
	for _, text := range []string{"", "{", `{"Format":1,`, `{"Format":1,"Mo`} {
		path := file(t)
		require.NoError(t, os.WriteFile(path, []byte(text), 0o600))
		p, err := begin(t.Context(), opened(t, path))
		require.NoError(t, err)
		require.NoError(t, p.s.Close())
		p.s = opened(t, path)
		require.Zero(t, p.pending(t))
	}
}

func TestOldStatesAreDropped(t *testing.T) {
	path := file(t)
	b, err := filestore.OpenBackend(path, &filestore.Options{Sync: true})
	require.NoError(t, err)
	defer b.Close()
	p, err := begin(t.Context(), store.Checked(b))
	require.NoError(t, err)
	for range 100 {
		_, err := p.next(t.Context(), 1000)
		require.NoError(t, err)
	}
	require.Less(t, b.Size(), 4<<20, "16 states, or a mebibyte, and one more")
	require.NoError(t, b.Reread())
	require.EqualValues(t, 100, p.pending(t))
	list, err := os.ReadDir(filepath.Dir(path))
	require.NoError(t, err)
	require.Len(t, list, 1, "no other file is left")
}

func TestNothingIsToldThatTheFileDoesNotHave(t *testing.T) {
	b := backend(t, file(t))
	p, err := begin(t.Context(), store.Checked(b))
	require.NoError(t, err)
	require.NoError(t, b.Break())
	_, err = p.next(t.Context(), 0)
	require.ErrorIs(t, err, store.ErrUnavailable)
	_, err = p.again(t.Context(), 0)
	require.ErrorIs(t, err, store.ErrUnavailable, "a repeat")
	_, err = p.s.Run(t.Context(), p.run)
	require.ErrorIs(t, err, store.ErrUnavailable, "nor by a call that only reads")
	require.NoError(t, b.Mend())
	reply, err := p.again(t.Context(), 0)
	require.NoError(t, err)
	require.False(t, reply.Entries[0].Duplicate)
	require.NoError(t, b.Reread())
	require.EqualValues(t, 1, p.pending(t))
}

const pathOfChild = "ROLLCALL_FILESTORE_TEST"

// TestTheChildAddsTasks is what the child does: it adds tasks for ever, and says so after each.
func TestTheChildAddsTasks(t *testing.T) {
	path := os.Getenv(pathOfChild)
	if path == "" {
		return // this is no child
	}
	s, err := filestore.Open(path, nil)
	require.NoError(t, err)
	p, err := begin(t.Context(), s)
	require.NoError(t, err)
	for {
		_, err := p.next(t.Context(), 100)
		require.NoError(t, err)
		fmt.Printf("added %d\n", p.n)
	}
}

func TestAKilledProcessLosesNothingThatItWasTold(t *testing.T) {
	path := file(t)
	exe, err := os.Executable()
	require.NoError(t, err)
	child := exec.Command(exe, "-test.run=^TestTheChildAddsTasks$", "-test.v")
	child.Env = append(os.Environ(), pathOfChild+"="+path)
	out, err := child.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, child.Start())
	told := int64(0)
	for lines := bufio.NewScanner(out); lines.Scan(); {
		if n, err := fmt.Sscanf(lines.Text(), "added %d", new(int64)); n == 1 && err == nil {
			if told++; told == 50 {
				require.NoError(t, child.Process.Kill())
			}
		}
	}
	require.Error(t, child.Wait())
	require.GreaterOrEqual(t, told, int64(50))

	p, err := begin(t.Context(), opened(t, path)) // finds the run by its token
	require.NoError(t, err)
	require.GreaterOrEqual(t, p.pending(t), told)
	require.LessOrEqual(t, p.pending(t), told+1, "one may have been added whose call did not return")
}
