package filestore_test

import (
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/rollcall-go/rollcall/internal/filestore"
	"github.com/rollcall-go/rollcall/store"
	"github.com/rollcall-go/rollcall/store/memstore"
	"github.com/rollcall-go/rollcall/store/storetest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func backend(tb testing.TB, path string) *filestore.Backend {
	tb.Helper()
	b, err := filestore.OpenBackend(path, nil)
	require.NoError(tb, err)
	tb.Cleanup(func() { _ = b.Close() })
	return b
}

// harness makes stores in virtual time. Each time that time passes, the store goes on with what
// its file has, which must be everything.
func harness() storetest.Harness {
	var last *filestore.Backend
	return storetest.Harness{
		New: func(tb testing.TB) store.Store {
			last = backend(tb, filepath.Join(tb.TempDir(), "rollcall.json"))
			return last
		},
		Bubble: true,
		Advance: func(tb testing.TB, d time.Duration) {
			require.NoError(tb, last.Reread())
			<-time.After(d)
		},
		Leftovers: func(_ testing.TB, s store.Store) []string { return s.(*filestore.Backend).Leftovers() },
		Waiting:   1000,
	}
}

func TestConformanceOfAFile(t *testing.T) { storetest.Run(t, harness()) }

func TestRandomSequencesAgreeWithTheModel(t *testing.T) {
	storetest.RunModel(t, harness(), storetest.ModelOptions{Sequences: 150, Steps: 15})
}

func TestRandomCallsAreAnsweredAsInMemory(t *testing.T) {
	reference := storetest.Harness{New: func(testing.TB) store.Store { return memstore.New(nil) }}
	storetest.RunTwins(t, harness(), reference, storetest.TwinOptions{})
}
