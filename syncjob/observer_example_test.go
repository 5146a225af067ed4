package syncjob_test

import (
	"context"
	"fmt"
	"log"
	"sync/atomic"

	"github.com/rollcall-go/rollcall/store/verdicts"
	"github.com/rollcall-go/rollcall/syncjob"
	"github.com/rollcall-go/rollcall/syncjob/observe"
	"github.com/rollcall-go/rollcall/syncjob/states"
)

// What a metrics library would count and measure.
func ExampleObserver() {
	ctx := context.Background()
	var attempts, failures atomic.Int64
	m, err := syncjob.Open(ctx, "memory://", syncjob.Config{
		Registry: ingest(),
		Observer: observe.Observer{
			AttemptDone: func(_ context.Context, e observe.Attempt) {
				attempts.Add(1) // duration.WithLabelValues(e.Kind, e.Verdict.String()).Observe(e.Took.Seconds())
				if e.Verdict == verdicts.Fail {
					failures.Add(1)
				}
			},
			RunDone: func(_ context.Context, s states.Run) { fmt.Println(s.Job, s.Status) },
		},
	})
	if err != nil {
		log.Fatal(err)
	}
	defer func() { _ = m.Close() }()
	if _, err := m.Start(ctx, syncjob.Job{Name: "import/42", Set: "ingest", Root: scanArgs{Dirs: 3}}, nil); err != nil {
		log.Fatal(err)
	}
	w, err := m.NewWorker(syncjob.WorkerConfig{})
	if err != nil {
		log.Fatal(err)
	}
	if _, err := w.RunOnce(ctx); err != nil {
		log.Fatal(err)
	}
	fmt.Println(attempts.Load(), failures.Load())
	// Output:
	// import/42 succeeded
	// 4 0
}
