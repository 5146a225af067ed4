package redisstore

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/rollcall-go/rollcall/store"
	"github.com/rollcall-go/rollcall/store/bounds"
	"github.com/rollcall-go/rollcall/store/redisstore/internal/format"
	"github.com/rollcall-go/rollcall/store/redisstore/internal/script"
	"github.com/rollcall-go/rollcall/store/verdicts"
)

// What a task costs this process on its way to and from Redis, without Redis. Figures are per batch
// of MaxBatch tasks, but for the codec's.

var benchmarkRoute = store.Route{Queue: "files", Set: "ingest", Kind: "file"}

func benchmarkItems() []*store.Item {
	items := make([]*store.Item, bounds.MaxBatch)
	for i := range items {
		items[i] = &store.Item{Route: benchmarkRoute, Task: store.Task{
			ID: "0123456789abcdef", Payload: make([]byte, 200), Enqueued: time.UnixMilli(1_700_000_000_000),
		}}
	}
	return items
}

func benchmarkStore() (*Store, *format.Keyspace) {
	k := format.NewKeyspace("bench", 0)
	s := &Store{spaces: []*format.Keyspace{k}, metas: []*metaCache{{}}, sessions: make(map[store.SessionID]*session)}
	s.metas[0].put(1, format.RunMeta{Job: "job", Weight: "1"})
	return s, k
}

func BenchmarkEncodeTask(b *testing.B) {
	item := benchmarkItems()[0]
	var buf []byte
	b.ReportAllocs()
	for b.Loop() {
		buf = format.AppendTask(buf[:0], &item.Task)
	}
	b.SetBytes(int64(len(buf)))
}

func BenchmarkDecodeTask(b *testing.B) {
	message := string(format.AppendTask(nil, &benchmarkItems()[0].Task))
	b.ReportAllocs()
	b.SetBytes(int64(len(message)))
	for b.Loop() {
		if _, err := format.DecodeTask(message); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkPackEnqueue(b *testing.B) {
	s, k := benchmarkStore()
	items := benchmarkItems()
	b.ReportAllocs()
	for b.Loop() {
		batch := newBatch(s, k)
		for _, g := range batch.group(len(items), func(i int) (int64, *store.Item) { return 1, items[i] }) {
			batch.addGroup(g)
		}
	}
}

// benchmarkOutcomes is successes in the order in which many handlers end: nearly that of the fetch.
func benchmarkOutcomes() []store.Outcome {
	outcomes := make([]store.Outcome, bounds.MaxBatch)
	for i := range outcomes {
		lane := store.Lane{Run: store.RunID{Job: "job", Number: 1}, Route: benchmarkRoute}
		outcomes[i] = store.Outcome{
			Lease:   store.Lease{Session: "s", Lane: lane, Fetch: 7, Index: i ^ 1},
			Verdict: verdicts.Success,
		}
	}
	return outcomes
}

func BenchmarkPackSettle(b *testing.B) {
	s, k := benchmarkStore()
	for _, bench := range []struct {
		name   string
		change func(*store.Outcome)
	}{
		{"successes", func(*store.Outcome) {}},
		{"counters", func(o *store.Outcome) { o.Counters = map[string]int64{"bytes": 1} }},
		{"retries", func(o *store.Outcome) { o.Verdict, o.Error = verdicts.Retry, "again" }},
	} {
		b.Run(bench.name, func(b *testing.B) {
			p := store.SettleParams{Session: store.SessionID{ID: "s"}, Number: 1, Outcomes: benchmarkOutcomes()}
			for i := range p.Outcomes {
				bench.change(&p.Outcomes[i])
			}
			b.ReportAllocs()
			for b.Loop() {
				st := settlement{batch: newBatch(s, k), params: &p}
				if err := st.gather(b.Context(), s); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func TestPlainSuccessesAreNamedByRanges(t *testing.T) {
	l := &store.Lease{Session: "s", Fetch: 12, Lane: store.Lane{Run: store.RunID{Number: 34}, Route: benchmarkRoute}}
	r := &redeemed{lease: l}
	for _, position := range []int{63, 64, 65, 3, 9, 10, 255, 62, 0, 0, 300, -1} {
		r.add(position)
	}
	c := script.NewCall()
	r.pack(c)
	require.Equal(t, []string{"12.", ".34/files/ingest/file", "7", "300", "-1", "0", "3", "9", "10", "255", "1", "62", "65"}, c.Args)
	for _, index := range []int{0, 7, 42, 199} {
		l.Index = index
		prefix, suffix := leaseAffixes(l)
		require.Equal(t, "12.", prefix)
		require.Equal(t, ".34/files/ingest/file", suffix)
	}
	all := &redeemed{lease: l}
	for i := range bounds.MaxBatch {
		all.add(i)
	}
	c = script.NewCall()
	all.pack(c)
	require.Equal(t, []string{"0", "1", "0", "255"}, c.Args[2:])
}
