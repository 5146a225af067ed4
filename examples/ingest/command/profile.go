package command

import (
	"context"
	"encoding/json"
	"os"
	"sync"
	"time"

	"github.com/rollcall-go/rollcall/handlers"
)

// profile writes a line for every task that starts in this process, and one for its end.
type profile struct {
	host string

	mu   sync.Mutex
	file *os.File
	err  error // the first
}

// profileLine describes the start or the end of one attempt of a task.
type profileLine struct {
	Event   string    `json:"event"` // start or end
	Time    time.Time `json:"time"`
	Host    string    `json:"host"` // on which it runs
	Process int       `json:"process"`
	Job     string    `json:"job"`
	Run     int64     `json:"run"`
	Task    string    `json:"task"`
	Kind    string    `json:"kind"`
	Queue   string    `json:"queue"`
	Retry   int       `json:"retry"`
	Elapsed float64   `json:"elapsed_ms,omitempty"` // at the end
	Error   string    `json:"error,omitempty"`
}

func newProfile(path string) (*profile, error) {
	f, err := os.Create(path)
	if err != nil {
		return nil, &usageError{Flag: "profile", Reason: err.Error()}
	}
	host, err := os.Hostname()
	return &profile{host: host, file: f}, err
}

// middleware writes a line before and after each attempt. For a nil profile it is nil.
func (p *profile) middleware() handlers.Middleware {
	if p == nil {
		return nil
	}
	return func(next handlers.Handler) handlers.Handler {
		return func(ctx context.Context, a *handlers.Attempt) error {
			begun := time.Now()
			line := profileLine{
				Event: "start", Time: begun, Host: p.host, Process: os.Getpid(),
				Job: a.Run.Job, Run: a.Run.Number, Task: a.ID, Kind: a.Kind, Queue: a.Queue, Retry: a.Retry,
			}
			p.write(line)
			err := next(ctx, a)
			line.Event, line.Time = "end", time.Now()
			line.Elapsed = float64(line.Time.Sub(begun).Microseconds()) / 1000
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
