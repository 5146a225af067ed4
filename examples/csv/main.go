// Csv imports a million rows in bounded memory. A task knows where its rows are in the file.
package main

import (
	"bufio"
	"context"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"iter"
	"log"
	"os"
	"runtime"
	"sync"

	"github.com/rollcall-go/rollcall/enqueue"
	"github.com/rollcall-go/rollcall/handlers"
	"github.com/rollcall-go/rollcall/syncjob"
)

type importArgs struct{}
type chunkArgs struct{ From, To int64 } // offsets in the file

func (importArgs) Kind() string { return "import" }
func (chunkArgs) Kind() string  { return "chunk" }

func main() {
	ctx, file := context.Background(), must(os.CreateTemp("", "orders-*.csv"))
	defer func() { _ = os.Remove(file.Name()) }()
	buf := bufio.NewWriter(file)
	for i := range 1_000_000 {
		fmt.Fprintf(buf, "%d,\"a name, with a comma\",%d\n", i, i%1000)
	}
	must(0, buf.Flush())
	db, set := &sync.Map{}, handlers.NewSet("csv", handlers.SetConfig{})
	handlers.Handle(set, func(ctx context.Context, t *handlers.Task[importArgs]) error {
		_, err := t.EnqueueAll(ctx, chunks(file, 1000))
		return err // nil: now all chunks appear at once
	}, nil)
	handlers.Handle(set, func(_ context.Context, t *handlers.Task[chunkArgs]) error {
		rows, err := csv.NewReader(io.NewSectionReader(file, t.Args.From, t.Args.To-t.Args.From)).ReadAll()
		db.Store(t.Args.From, len(rows)) // each chunk has its own key: if it is loaded twice, it counts once
		return err
	}, nil)
	m := must(syncjob.Open(ctx, "memory://", syncjob.Config{Registry: must(handlers.NewRegistry(set))}))
	defer m.Close()
	run := must(m.Start(ctx, syncjob.Job{Name: "orders", Set: "csv", Root: importArgs{}}, nil))
	must(must(m.NewWorker(syncjob.WorkerConfig{})).RunOnce(ctx)) // until no task is left
	end, loaded, mem := must(run.State(ctx)), 0, runtime.MemStats{}
	db.Range(func(_, n any) bool { loaded += n.(int); return true })
	runtime.ReadMemStats(&mem)
	fmt.Printf(
		"%s: %d rows in %d tasks, %v and %d MB of memory\n", end.Status, loaded, end.Counts.Succeeded, end.Elapsed,
		mem.Sys>>20,
	)
}

// chunks yields the parts of a file. It parses rows, because a quoted field may have a line break.
func chunks(file io.ReaderAt, rows int) iter.Seq2[enqueue.Item, error] {
	return func(yield func(enqueue.Item, error) bool) {
		r, err := csv.NewReader(io.NewSectionReader(file, 0, 1<<62)), error(nil)
		for from := int64(0); err == nil; from = r.InputOffset() {
			for n := 0; n < rows && err == nil; n++ {
				_, err = r.Read()
			}
			if to := r.InputOffset(); to > from && !yield(enqueue.Task(chunkArgs{from, to}, nil), nil) {
				return
			}
		}
		if !errors.Is(err, io.EOF) {
			yield(enqueue.Item{}, err)
		}
	}
}

func must[T any](v T, err error) T {
	if err != nil {
		log.Fatal(err)
	}
	return v
}
