package command

import (
	"os"
	"testing"

	"go.uber.org/goleak"

	"github.com/rollcall-go/rollcall/examples/ingest/internal/treetest"
)

func TestMain(m *testing.M) {
	goleak.VerifyTestMain(m, goleak.Cleanup(func(status int) {
		_ = os.RemoveAll(buildDir) // empty if nobody built
		os.Exit(status)
	}))
}

// trees is a source and a destination for one test.
type trees struct{ *treetest.Trees }

func newTrees(t *testing.T) *trees { return &trees{treetest.New(t)} }
