package memstore_test

import (
	"context"
	"fmt"
	"time"

	"github.com/rollcall-go/rollcall/store"
	"github.com/rollcall-go/rollcall/store/memstore"
	"github.com/rollcall-go/rollcall/store/verdicts"
)

// A run of one task, from its start to its end, as the layers above play it.
func ExampleNew() {
	ctx := context.Background()
	s := memstore.New(nil)
	defer s.Close()

	route := store.Route{Queue: "default", Set: "mail", Kind: "send"}
	started, err := s.StartRun(ctx, store.StartParams{
		Job:        "newsletter",
		Token:      "newsletter-7",
		Set:        "mail",
		Root:       &store.Item{Route: route, Task: store.Task{ID: "root", Payload: []byte(`{"to":"you"}`)}},
		Weight:     1,
		Retention:  time.Hour,
		FailureCap: 10,
	})
	if err != nil {
		fmt.Println(err)
		return
	}

	session := store.SessionID{ID: "worker-1"}
	if err := s.OpenSession(ctx, session, store.WorkerInfo{}, time.Minute); err != nil {
		fmt.Println(err)
		return
	}
	fetched, err := s.Fetch(ctx, store.FetchParams{
		Session: session, Number: 1, Max: 10,
		Queues: []store.FetchQueue{{Queue: "default", Routes: []store.Route{route}}},
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	for _, d := range fetched.Deliveries {
		fmt.Printf("%s %s\n", d.Task.ID, d.Task.Payload)
		if _, err := s.Settle(ctx, store.SettleParams{
			Session: session, Number: 1,
			Outcomes: []store.Outcome{{Lease: d.Lease, Verdict: verdicts.Success, Task: d.Task}},
		}); err != nil {
			fmt.Println(err)
			return
		}
	}

	run, err := s.Run(ctx, started.Run)
	fmt.Println(run.Status, run.Counts.Succeeded, err)
	// Output:
	// root {"to":"you"}
	// succeeded 1 <nil>
}
