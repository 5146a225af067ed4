package syncjob_test

import (
	"context"
	"fmt"
	"log"

	"github.com/rollcall-go/rollcall/syncjob"
)

func ExampleManager_Audit() {
	ctx := syncjob.WithActor(context.Background(), "ann")
	m, err := syncjob.Open(ctx, "memory://", syncjob.Config{})
	if err != nil {
		log.Fatal(err)
	}
	defer func() { _ = m.Close() }()

	run, err := m.Start(ctx, syncjob.Job{Name: "album/7", Set: "photos", Open: true}, nil)
	if err != nil {
		log.Fatal(err)
	}
	if err := run.Stop(syncjob.WithReason(ctx, "the wrong album"), nil); err != nil {
		log.Fatal(err)
	}
	for e, err := range m.Audit(ctx, &syncjob.AuditOptions{Job: "album/7"}) {
		fmt.Println(e.By, e.Action, e.Job, e.Reason, err)
	}
	// Output:
	// ann stop album/7 the wrong album <nil>
	// ann start album/7  <nil>
}
