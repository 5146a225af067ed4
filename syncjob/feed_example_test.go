package syncjob_test

import (
	"context"
	"fmt"
	"log"

	"github.com/rollcall-go/rollcall/syncjob"
)

func ExampleManager_Watch() {
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	m, err := syncjob.Open(ctx, "memory://", syncjob.Config{})
	if err != nil {
		log.Fatal(err)
	}
	defer func() { _ = m.Close() }()

	if _, err := m.Start(ctx, syncjob.Job{Name: "album/7", Set: "photos", Open: true}, nil); err != nil {
		log.Fatal(err)
	}
	for topic, err := range m.Watch(ctx) {
		if err != nil {
			fmt.Println("the end:", err)
			break
		}
		if topic.Type == syncjob.TopicResync || topic.Job == "album/7" {
			job, err := m.State(ctx, "album/7")
			fmt.Println(job.Name, "is", job.Run.Status, err)
			cancel()
		}
	}
	// Output:
	// album/7 is starting <nil>
	// the end: context canceled
}
