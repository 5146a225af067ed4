package command

import (
	"context"
	"errors"
	"io"

	"github.com/rollcall-go/rollcall/examples/ingest/mirror"
	"github.com/rollcall-go/rollcall/syncjob"
)

const configureUsage = `ingest configure NAME -store redis://HOST:PORT [-retries N] [-timeout TIME] [-delay TIME]

Changes how the tasks of the newest run of a job are tried, while it runs. It is in force for the
next attempt on every worker within a second, and ends with the run.`

// configure is the command "configure".
func configure(ctx context.Context, args []string, io streams) error {
	var a attributes
	fs := newFlags(configureUsage, io.err)
	store := fs.String("store", "", "`url` of where the jobs live: redis://HOST:PORT")
	a.register(fs)
	name, err := parse(fs, args, "NAME")
	if err != nil {
		return err
	}
	if err := errors.Join(sharedStore(*store), a.validate()); err != nil {
		return err
	}
	if !a.given() {
		return &usageError{Reason: "give what to change: -retries, -timeout or -delay"}
	}
	m, err := syncjob.Open(ctx, *store, syncjob.Config{Namespace: namespace})
	if err != nil {
		return inputError("store", err)
	}
	return errors.Join(a.configure(ctx, m, name, io.out), m.Close())
}

func (a *attributes) configure(ctx context.Context, m *syncjob.Manager, name string, out io.Writer) error {
	run, err := m.Latest(ctx, name)
	if err != nil {
		return err
	}
	opts := &syncjob.ConfigureOptions{Reason: "ingest configure", Run: run}
	_, err = m.Configure(ctx, mirror.SetName, opts, func(c *syncjob.Configuration) error {
		a.apply(&c.Set)
		return nil
	})
	if err == nil {
		say(out, "job %s: configured", name)
	}
	return err
}
