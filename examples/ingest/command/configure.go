package command

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/rollcall-go/rollcall/examples/ingest/mirror"
	"github.com/rollcall-go/rollcall/syncjob"
)

const configureUsage = `ingest configure NAME -store redis://HOST:PORT [flags]

Changes how the tasks of the newest run of a job are tried, while it runs. It is in force for the
next attempt on every worker within a second, and ends with the run. To change later runs of a
periodic job, start it again with these flags: it begins a run then, and goes on as before.`

// configure is the command "configure".
func (t tool) configure(ctx context.Context, args []string, io streams) error {
	var a attributes
	fs := newFlags(configureUsage, io.err)
	store := fs.String("store", "", "`url` of where the jobs live: redis://HOST:PORT")
	reason := fs.String("reason", "ingest configure", "`why`, for the history of the configuration")
	a.register(fs, t.handlers)
	name, err := parse(fs, args, "NAME")
	if err != nil {
		return err
	}
	if err := errors.Join(sharedStore(*store), a.validate()); err != nil {
		return err
	}
	if !a.given() {
		return &usageError{Reason: "give what to change, such as -retries"}
	}
	registry, err := mirror.NewRegistry(t.handlers) // it compiles scripts
	if err != nil {
		return err
	}
	m, err := syncjob.Open(ctx, *store, syncjob.Config{Namespace: namespace, Registry: registry})
	if err != nil {
		return inputError("store", err)
	}
	err = a.configure(syncjob.WithReason(syncjob.WithActor(ctx, user()), *reason), m, name, io.out)
	return errors.Join(a.inputError(err), m.Close())
}

// user returns who calls, for the audit: the user of the system, and the machine.
func user() string {
	name, host := os.Getenv("USER"), "unknown host"
	if name == "" {
		name = fmt.Sprint("user ", os.Getuid())
	}
	if h, err := os.Hostname(); err == nil {
		host = h
	}
	return name + "@" + host
}

func (a *attributes) configure(ctx context.Context, m *syncjob.Manager, name string, out io.Writer) error {
	run, err := m.Latest(ctx, name)
	if err != nil {
		return err
	}
	opts := &syncjob.ConfigureOptions{Run: run}
	_, err = m.Configure(ctx, mirror.SetName, opts, func(c *syncjob.Configuration) error {
		a.apply(&c.Set)
		return nil
	})
	if errors.Is(err, syncjob.ErrRunFinished) {
		return fmt.Errorf("no run of job %s is active, so there is none to configure; \"ingest start\" with the flags "+
			"is for its next runs: %w", name, err)
	}
	if err == nil {
		say(out, "job %s: configured", name)
	}
	return err
}
