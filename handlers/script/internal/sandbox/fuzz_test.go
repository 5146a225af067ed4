package sandbox_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/rollcall-go/rollcall/handlers/script/internal/sandbox"
)

// Whatever a script says, it compiles or says why not, its functions return or say why not, and
// nothing allocates much.
func FuzzNoScriptHarmsItsProcess(f *testing.F) {
	for _, body := range programs {
		f.Add("def f():\n  " + body + "\n")
	}
	for _, source := range attacks {
		f.Add(source)
	}
	small := sandbox.Limits{Steps: 20_000, Time: 100 * time.Millisecond}
	f.Fuzz(func(t *testing.T, source string) {
		var p *sandbox.Program
		var err error
		bytes := allocated(func() {
			if p, err = sandbox.Compile(source, sandbox.Host{Limits: small}); err != nil {
				return
			}
			for _, fn := range p.Functions() {
				_, _ = p.Call(t.Context(), nil, fn)
			}
		})
		if err != nil {
			require.NotEmpty(t, err.Error())
		}
		require.Less(t, bytes, uint64(len(source))*2000+64<<20)
	})
}
