package dashboard

import (
	"net"
	"net/http"
	"time"

	"github.com/rollcall-go/rollcall/syncjob"
)

// ReadTime is how long a page may read from the store. After that it says that the store does not
// answer. An action has as long.
const ReadTime = 5 * time.Second

// Options configure a dashboard. The zero value shows everything but payloads, and lets nobody act.
type Options struct {
	// Title is shown on each page, for example the name of the deployment. Defaults to "Rollcall".
	Title string
	// Authorize decides whether a request may do what it asks for. Its error is shown to the user,
	// with status 403. It is called for each request, also for those that only read: then the
	// name of the action is [View]. Defaults to reading only.
	Authorize func(*http.Request, Action) error
	// Actor names who acts, for the history. Defaults to the user of HTTP basic authentication, or
	// else to "dashboard" with the address of the client.
	Actor func(*http.Request) string
	// Payload returns the text to show for arguments, results and headers; it may leave out what is
	// private. Defaults to hiding all of them. [ShowPayloads] shows them as they are.
	Payload func(Payload) string
	// Produce lets the JSON API start runs and enqueue tasks, if Authorize allows it, so that
	// programs in other languages can give work to this one. Defaults to false.
	Produce bool
}

// Payload is data of a user that the dashboard shows only through [Options.Payload].
type Payload struct {
	Job  string
	Set  string
	Kind string // empty for what belongs to a run
	What string // "arguments", "result", "headers" or "definition"
	Data []byte // JSON
}

// ShowPayloads shows payloads as they are. Use it as [Options.Payload] where everybody who sees the
// dashboard may see all data.
func ShowPayloads(p Payload) string { return string(p.Data) }

// Names of what requests ask for, besides [Actions].
const (
	View    = "view"    // only reads
	Start   = "start"   // starts a run by the JSON API
	Enqueue = "enqueue" // adds a task by the JSON API
)

// Action is what a request asks for.
type Action struct {
	Name  string        // [View], [Start], [Enqueue], or one of [Actions]
	Job   string        // the job that it is about; empty if it is about none
	Run   int64         // number of the run; 0 for none
	Task  string        // ID of a task of the run
	Set   string        // of a configuration
	Scope syncjob.Scope // of a pause
	Hold  string        // to be released
	// Prefix of the keys of semaphores.
	Prefix string
	Worker string // its name or ID
	// Jobs says which jobs an action on many is about, such as "stop-jobs". Then Job is empty: whoever
	// may act on some jobs only must be refused, unless the filter has no others. Nil for other actions.
	Jobs *JobFilter
}

// JobFilter selects jobs: those that the page of jobs shows, and those that an action on many is about.
type JobFilter struct {
	Group  syncjob.Group `json:"group,omitempty"`
	Prefix string        `json:"prefix,omitempty"` // of the name
	Set    string        `json:"set,omitempty"`    // of the newest run
	Label  string        `json:"label,omitempty"`  // key=value
	Status string        `json:"status,omitempty"` // of the newest run: "held", or one status
}

// actor is the default of Options.Actor.
func actor(r *http.Request) string {
	if user, _, ok := r.BasicAuth(); ok && user != "" {
		return user
	}
	host, _, err := net.SplitHostPort(r.RemoteAddr)
	if err != nil {
		return "dashboard"
	}
	return "dashboard from " + host
}
