package handlers_test

import (
	"context"
	"fmt"
	"log"
	"sync"

	"github.com/rollcall-go/rollcall/handlers"
	"github.com/rollcall-go/rollcall/syncjob"
)

// A task reports as often as it likes; whoever watches the run sees the last report.
func ExampleAttempt_Progress() {
	seen, printed := make(chan struct{}), sync.Once{}
	set := handlers.NewSet("mail", handlers.SetConfig{})
	handlers.Handle(set, func(ctx context.Context, t *handlers.Task[letter]) error {
		for page := range int64(3) {
			t.Progress(ctx, page+1, 3, "pages printed")
		}
		<-seen // so that it does not end before anybody looked
		return nil
	}, nil)
	registry, err := handlers.NewRegistry(set)
	if err != nil {
		log.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.Background())
	m, err := syncjob.Open(ctx, "memory://", syncjob.Config{Registry: registry})
	if err != nil {
		log.Fatal(err)
	}
	w, err := m.NewWorker(syncjob.WorkerConfig{})
	if err != nil {
		log.Fatal(err)
	}
	done := make(chan error)
	go func() { done <- w.Run(ctx) }()
	run, err := m.Start(ctx, syncjob.Job{Name: "mail", Set: "mail", Root: letter{"ada"}}, nil)
	if err != nil {
		log.Fatal(err)
	}
	for state, err := range run.Watch(ctx) {
		if err != nil {
			log.Fatal(err)
		}
		for _, task := range state.Reporting {
			if p := task.Progress; p.Done == p.Total {
				printed.Do(func() {
					fmt.Println(p.Done, "of", p.Total, p.Message)
					close(seen)
				})
			}
		}
	}
	stop()
	fmt.Println(<-done, m.Close())
	// Output:
	// 3 of 3 pages printed
	// <nil> <nil>
}
