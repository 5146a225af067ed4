package main

import (
	"fmt"

	"github.com/rollcall-go/rollcall/syncjob"
)

// answer is what a command that acts prints as JSON.
type answer struct {
	Done  string `json:"done"` // as people read it
	Job   string `json:"job,omitempty"`
	Run   int64  `json:"run,omitempty"`
	Task  string `json:"task,omitempty"`
	Tasks int64  `json:"tasks,omitempty"` // how many were changed
	// Existing is true if the run, or the task, was there already.
	Existing bool `json:"existing,omitempty"`
}

// say prints what was done, as a sentence or as JSON.
func (a *app) say(format string, args ...any) { a.did(answer{}, format, args...) }

// saidOf is say about a run.
func (a *app) saidOf(r *syncjob.Run, format string, args ...any) {
	a.did(answer{Job: r.Job(), Run: r.Number()}, format, args...)
}

// did prints what was done: people read a sentence, programs also get what it is about.
func (a *app) did(v answer, format string, args ...any) {
	if a.output != "table" && a.output != "" {
		v.Done = fmt.Sprintf(format, args...)
		_ = one(a, v, nil) // strings and numbers can always be encoded
		return
	}
	for i, arg := range args {
		if text, ok := arg.(string); ok {
			args[i] = syncjob.Printable(text)
		}
	}
	_, _ = fmt.Fprintf(a.out, format+"\n", args...)
}
