package command

import (
	"context"
	"errors"
	"io"

	"github.com/rollcall-go/rollcall/syncjob"
)

// operator is the common part of the commands about running jobs.
type operator struct {
	*syncjob.Manager
	name string // of the job
	json bool
}

// newOperator reads the command line and connects. Close it.
func newOperator(ctx context.Context, usage string, args []string, want string, help io.Writer) (*operator, error) {
	o := &operator{}
	fs := newFlags(usage, help)
	store := fs.String("store", "", "`url` of where the jobs live: redis://HOST:PORT")
	fs.BoolVar(&o.json, "json", false, "print JSON")
	var err error
	if o.name, err = parse(fs, args, want); err != nil {
		return nil, err
	}
	if err := sharedStore(*store); err != nil {
		return nil, err
	}
	if o.Manager, err = syncjob.Open(ctx, *store, syncjob.Config{Namespace: namespace}); err != nil {
		return nil, inputError("store", err)
	}
	return o, nil
}

// onRun calls do with the newest run of the job that the command line names.
func onRun(
	ctx context.Context, usage string, args []string, io streams, do func(o *operator, run *syncjob.Run) error,
) error {
	o, err := newOperator(ctx, usage, args, "NAME", io.err)
	if err != nil {
		return err
	}
	run, err := o.Latest(ctx, o.name)
	if err == nil {
		err = do(o, run)
	}
	return errors.Join(err, o.Close())
}
