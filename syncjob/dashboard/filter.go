package dashboard

import (
	"net/http"
	"net/url"
	"strings"

	"github.com/rollcall-go/rollcall/syncjob"
	"github.com/rollcall-go/rollcall/syncjob/states"
)

// onJobs are the actions on many jobs, as the page of jobs names them.
var onJobs = []struct {
	name, short string
	danger      bool
}{
	{"stop-jobs", "Stop", true},
	{"enable-jobs", "Enable", false},
	{"pause-jobs", "Pause", false},
	{"resume-jobs", "Resume", false},
	{"retry-jobs", "Retry failed tasks", false},
	{"discard-jobs", "Discard failed tasks", true},
}

// isOnJobs reports whether an action is one on many jobs.
func isOnJobs(name string) bool {
	for _, a := range onJobs {
		if a.name == name {
			return true
		}
	}
	return false
}

// filterOf reads a filter from an address or a form.
func filterOf(q url.Values) JobFilter {
	return JobFilter{
		Group: syncjob.Group(q.Get("group")), Prefix: q.Get("prefix"), Set: q.Get("set"), Label: q.Get("label"),
		Status: q.Get("status"),
	}
}

// pairs are the names and values of the filter in an address.
func (f JobFilter) pairs() []string {
	return []string{
		"group", string(f.Group), "prefix", f.Prefix, "set", f.Set, "label", f.Label, "status", f.Status,
	}
}

// act is the page of an action on all jobs of the filter. That it is about every job is said, so that a filter
// that is lost on the way touches nothing.
func (f JobFilter) act(action string) string {
	pairs := append(f.pairs(), "action", action)
	if f == (JobFilter{}) {
		pairs = append(pairs, "all", "yes")
	}
	return link("act", pairs...)
}

// String says which jobs are meant.
func (f JobFilter) String() string {
	var said []string
	for _, part := range []struct{ what, value string }{
		{"group ", string(f.Group)}, {"name begins with ", f.Prefix}, {"handler set ", f.Set}, {"label ", f.Label},
		{"newest run ", f.Status},
	} {
		if part.value != "" {
			said = append(said, part.what+part.value)
		}
	}
	if said == nil {
		return "all jobs"
	}
	return strings.Join(said, ", ")
}

// options are those of the library for the filter.
func (f JobFilter) options() (o syncjob.JobsOptions, err error) {
	o = syncjob.JobsOptions{Group: f.Group, Prefix: f.Prefix, Set: f.Set}
	switch f.Status {
	case "":
	case "held":
		o.Statuses, o.Held = syncjob.ActiveStatuses, true
	default:
		o.Statuses = []states.Status{states.Status(f.Status)}
	}
	o.Labels, err = labelOf(f.Label)
	return o, err
}

// labelOf reads a label of a filter.
func labelOf(text string) (map[string]string, error) {
	key, value, found := strings.Cut(text, "=")
	switch {
	case text == "":
		return nil, nil
	case !found:
		return nil, &statusError{http.StatusBadRequest, "The label is not in the form key=value.", nil}
	}
	return map[string]string{key: value}, nil
}
