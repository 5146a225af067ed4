package syncjob_test

import (
	"context"
	"fmt"
	"log"
	"time"

	"github.com/rollcall-go/rollcall/handlers"
	"github.com/rollcall-go/rollcall/store/memstore"
	"github.com/rollcall-go/rollcall/syncjob"
)

// An operator changes how tasks are run, while workers run them. It needs no registry where a
// worker has published its sets.
func ExampleManager_Configure() {
	ctx := context.Background()
	m, err := syncjob.New(memstore.New(nil), syncjob.Config{Registry: ingest()})
	if err != nil {
		log.Fatal(err)
	}
	defer func() { _ = m.Close() }()

	why := &syncjob.ConfigureOptions{By: "ada", Reason: "the disks are slow today"}
	is, err := m.Configure(ctx, "ingest", why, func(c *syncjob.Configuration) error {
		c.Set.MaxRetries = 10
		c.Kind("file").Timeout = 5 * time.Minute
		c.Kind("file").Backoff = handlers.Exponential{First: 10 * time.Second, Cap: time.Hour}
		c.Kind("file").Params = map[string]int{"buffer_kb": 64} // handlers read them with t.DecodeParams
		return nil
	})
	fmt.Println("version", is.Version, err)

	_, err = m.Configure(ctx, "ingest", nil, func(c *syncjob.Configuration) error {
		c.Kind("file").MaxSnoozes = -1
		return nil
	})
	fmt.Println(err)

	_, err = m.Configure(ctx, "ingest", &syncjob.ConfigureOptions{IfVersion: 7}, func(*syncjob.Configuration) error { return nil })
	fmt.Println(err)
	// Output:
	// version 1 <nil>
	// configure "ingest": Kinds["file"].MaxSnoozes is negative
	// configure: changed by another call: version 1 is stored
}

// The history tells who changed what, when and why; an earlier state can be restored.
func ExampleManager_History() {
	ctx := context.Background()
	m, err := syncjob.New(memstore.New(nil), syncjob.Config{Registry: ingest()})
	if err != nil {
		log.Fatal(err)
	}
	defer func() { _ = m.Close() }()
	for _, retries := range []int{5, 50} {
		opts := &syncjob.ConfigureOptions{By: "ada", Reason: fmt.Sprint("try ", retries)}
		if _, err := m.Configure(ctx, "ingest", opts, func(c *syncjob.Configuration) error { c.Set.MaxRetries = retries; return nil }); err != nil {
			log.Fatal(err)
		}
	}
	changes, err := m.History(ctx, "ingest", nil)
	for _, c := range changes {
		fmt.Println(c.Version, c.By, c.Reason, c.Before.Set.MaxRetries, err)
	}
	is, err := m.Configure(ctx, "ingest", &syncjob.ConfigureOptions{By: "bob", Reason: "too many"}, func(c *syncjob.Configuration) error {
		*c = changes[0].Before
		return nil
	})
	fmt.Println(is.Version, is.Configuration.Set.MaxRetries, err)
	// Output:
	// 2 ada try 50 5 <nil>
	// 1 ada try 5 0 <nil>
	// 3 5 <nil>
}

// Going back to the code is a change like any other, with its reason, and what was configured stays
// in the history.
func ExampleManager_ResetConfiguration() {
	ctx := context.Background()
	m, err := syncjob.New(memstore.New(nil), syncjob.Config{Registry: ingest()})
	if err != nil {
		log.Fatal(err)
	}
	defer func() { _ = m.Close() }()
	_, err = m.Configure(ctx, "ingest", nil, func(c *syncjob.Configuration) error { c.Set.MaxRetries = 50; return nil })
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(m.ResetConfiguration(ctx, "ingest", &syncjob.ConfigureOptions{By: "ada", Reason: "the disks are replaced"}))
	is, err := m.Configuration(ctx, "ingest", nil)
	fmt.Println(is.Version, is.Configuration.Set.MaxRetries, err)
	changes, err := m.History(ctx, "ingest", nil)
	fmt.Println(changes[0].By, changes[0].Reason, changes[0].Before.Set.MaxRetries, err)
	// Output:
	// <nil>
	// 2 0 <nil>
	// ada the disks are replaced 50 <nil>
}

// What is configured for one run goes with it. A job can bring it along for each of its runs.
func ExampleConfigureOptions_run() {
	ctx := context.Background()
	m, err := syncjob.New(memstore.New(nil), syncjob.Config{Registry: ingest()})
	if err != nil {
		log.Fatal(err)
	}
	defer func() { _ = m.Close() }()
	patient := &syncjob.Configuration{Set: handlers.Attributes{Timeout: time.Hour}}
	run, err := m.Start(ctx, syncjob.Job{Name: "import/42", Set: "ingest", Root: scanArgs{}, Configuration: patient}, nil)
	if err != nil {
		log.Fatal(err)
	}
	is, err := m.Configure(ctx, "ingest", &syncjob.ConfigureOptions{Run: run}, func(c *syncjob.Configuration) error {
		c.Set.MaxRetries = handlers.NoRetries
		return nil
	})
	fmt.Println(is.Version, is.Configuration.Set.Timeout, is.Configuration.Set.MaxRetries, err)
	// Output: 2 1h0m0s -1 <nil>
}

// Who has no registry learns from the workers what there is, and how it is run.
func ExampleManager_Sets() {
	ctx := context.Background()
	shared := memstore.New(nil)
	worker, err := syncjob.New(shared, syncjob.Config{Registry: ingest()})
	if err != nil {
		log.Fatal(err)
	}
	defer func() { _ = worker.Close() }()
	w, err := worker.NewWorker(syncjob.WorkerConfig{})
	if err != nil {
		log.Fatal(err)
	}
	if _, err := w.RunOnce(ctx); err != nil {
		log.Fatal(err)
	}
	operator, err := syncjob.New(shared, syncjob.Config{})
	if err != nil {
		log.Fatal(err)
	}
	defer func() { _ = operator.Close() }()
	sets, err := operator.Sets(ctx)
	if err != nil {
		log.Fatal(err)
	}
	for _, set := range sets {
		is, err := operator.Configuration(ctx, set.Name, nil)
		for _, kind := range set.Kinds {
			attrs, _ := set.Effective(kind.Name, is.Configuration)
			fmt.Println(set.Name, kind.Name, attrs.Queue, attrs.Timeout, attrs.MaxRetries, err)
		}
	}
	// Output:
	// ingest file default 1h0m0s 3 <nil>
	// ingest scan default 1h0m0s 3 <nil>
}
