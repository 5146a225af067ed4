package syncjob_test

import (
	"context"
	"fmt"
	"log"

	"github.com/rollcall-go/rollcall/syncjob"
)

func ExampleManager_LostWorkers() {
	ctx := context.Background()
	m, err := syncjob.Open(ctx, "memory://", syncjob.Config{})
	if err != nil {
		log.Fatal(err)
	}
	defer func() { _ = m.Close() }()

	lost, err := m.LostWorkers(ctx)
	for _, w := range lost {
		fmt.Printf("%s (process %d on %s, version %s) %s\n", w.Name, w.PID, w.Host, w.Version, w.Reason)
	}
	fmt.Println(len(lost), "workers were lost today,", err)
	// Output: 0 workers were lost today, <nil>
}
