package main

import (
	"context"
	"encoding/json"
	"os"
	"sync"
	"time"

	"github.com/rollcall-go/rollcall/handlers"
)

// profile writes one line for every task that ends in this process.
type profile struct {
	mu   sync.Mutex
	file *os.File
	err  error // the first
}

// profileLine describes one attempt of a task.
type profileLine struct {
	Time    time.Time `json:"time"` // when it ended
	Job     string    `json:"job"`
	Run     int64     `json:"run"`
	Task    string    `json:"task"`
	Kind    string    `json:"kind"`
	Queue   string    `json:"queue"`
	Retry   int       `json:"retry"`
	Elapsed float64   `json:"elapsed_ms"`
	Error   string    `json:"error,omitempty"`
}

func newProfile(path string) (*profile, error) {
	f, err := os.Create(path)
	if err != nil {
		return nil, &usageError{Flag: "profile", Reason: err.Error()}
	}
	return &profile{file: f}, nil
}

// middleware writes a line after each attempt. For a nil profile it is nil.
func (p *profile) middleware() handlers.Middleware {
	if p == nil {
		return nil
	}
	return func(next handlers.Handler) handlers.Handler {
		return func(ctx context.Context, a *handlers.Attempt) error {
			begun := time.Now()
			err := next(ctx, a)
			now := time.Now()
			line := profileLine{
				Time: now, Job: a.Run.Job, Run: a.Run.Number, Task: a.ID, Kind: a.Kind, Queue: a.Queue, Retry: a.Retry,
				Elapsed: float64(now.Sub(begun).Microseconds()) / 1000,
			}
			if err != nil {
				line.Error = err.Error()
			}
			p.write(line)
			return err
		}
	}
}

// write keeps its error for Close, because a task must not fail if the profile cannot be written.
func (p *profile) write(line profileLine) {
	text, err := json.Marshal(line)
	p.mu.Lock()
	defer p.mu.Unlock()
	if err == nil {
		_, err = p.file.Write(append(text, '\n'))
	}
	if p.err == nil {
		p.err = err
	}
}

// Close ends the profile. If the profile is not complete, it returns why.
func (p *profile) Close() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if err := p.file.Close(); p.err == nil {
		p.err = err
	}
	return p.err
}
