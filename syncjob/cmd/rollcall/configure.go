package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"

	"github.com/spf13/cobra"

	"github.com/rollcall-go/rollcall/handlers"
	"github.com/rollcall-go/rollcall/syncjob"
)

func (a *app) configure() *cobra.Command {
	file, show := "", false
	version := int64(0)
	c := a.command(
		"configure SET",
		"Show the configuration of a handler set, or replace it",
		cobra.ExactArgs(1),
		false,
		func(ctx context.Context, args []string) error {
			if file == "" || show {
				c, err := a.m.Configuration(ctx, args[0], nil)
				if err != nil {
					return err
				}
				document := *a
				if document.output == "table" {
					document.output = "json"
				}
				return one(&document, c, nil)
			}
			document, err := a.read(file)
			if err != nil {
				return err
			}
			var next handlers.Configuration
			decoder := json.NewDecoder(bytes.NewReader(document))
			decoder.DisallowUnknownFields()
			if err := decoder.Decode(&next); err != nil {
				return usageError{fmt.Errorf("the document is not valid: %w", err)}
			}
			done, err := a.m.Configure(ctx, args[0], &syncjob.ConfigureOptions{Reason: a.reason, IfVersion: version},
				func(c *handlers.Configuration) error { *c = next; return nil })
			if err != nil {
				return err
			}
			a.say("configured %s, version %d", args[0], done.Version)
			return nil
		},
	)
	f := c.Flags()
	f.StringVarP(&file, "file", "f", "", "`file` with the document; - for standard input")
	f.Int64Var(&version, "if-version", 0, "only if this version is stored; -1 if none may be")
	return c
}

// read reads a file, or standard input.
func (a *app) read(name string) ([]byte, error) {
	if name == "-" {
		return io.ReadAll(a.in)
	}
	b, err := os.ReadFile(name)
	if err != nil {
		return nil, usageError{err}
	}
	return b, nil
}

func (a *app) reset() *cobra.Command {
	return a.command(
		"reset SET",
		"Remove the configuration of a handler set",
		cobra.ExactArgs(1),
		false,
		func(ctx context.Context, args []string) error {
			if err := a.sure("All that is configured for " + syncjob.Printable(args[0]) + " is removed."); err != nil {
				return err
			}
			if err := a.m.ResetConfiguration(ctx, args[0], &syncjob.ConfigureOptions{Reason: a.reason}); err != nil {
				return err
			}
			a.say("reset %s", args[0])
			return nil
		},
	)
}
