package memstore_test

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/rollcall-go/rollcall/store"
	"github.com/rollcall-go/rollcall/store/verdicts"
)

// BenchmarkTask moves one task through its life: enqueue, fetch, settle, in
// batches of 128, with as many runs sharing the queue as the name says.
func BenchmarkTask(b *testing.B) {
	for _, runs := range []int{1, 1000} {
		b.Run(fmt.Sprintf("runs=%d", runs), func(b *testing.B) {
			const batch = 128
			k := newKit(b, nil)
			ids := make([]store.RunID, runs)
			for i := range ids {
				ids[i] = k.start(store.StartParams{Job: fmt.Sprint("job", i), Open: true})
			}
			w := k.worker()
			item := task("t")
			item.Task.Payload = make([]byte, 200)
			b.ReportAllocs()
			b.ResetTimer()
			for done := 0; done < b.N; done += batch {
				entries := make([]store.Entry, batch)
				for i := range entries {
					entries[i] = store.Entry{Run: ids[(done+i)%runs], Item: item}
				}
				k.enqueue(entries...)
				ds := w.fetch(batch)
				require.Len(b, ds, batch)
				w.settleAll(ds, verdicts.Success)
			}
		})
	}
}
