package handlers

import (
	"time"

	"github.com/rollcall-go/rollcall/store"
)

// NoResults means that results are not kept. It is for [ResultRetention].Age.
const NoResults = -1

// ResultRetention says which results of tasks a run keeps. In any case the results of one run take
// at most [bounds.MaxResults] bytes: the oldest go first. All of them go with the summary of their
// run. So the results of an open run that never ends are bounded, too.
type ResultRetention struct {
	// Age is how long a result is kept, at least a millisecond, or [NoResults] to keep none. After
	// this time nobody gets the result any more. Defaults to as long as the run is kept.
	Age time.Duration `json:"age,omitempty"`
	// Number is how many results of the kind each run keeps: the newest. Defaults to no limit but
	// their size.
	Number int `json:"number,omitempty"`
}

// of returns what a success says of a result.
func (r ResultRetention) of(result []byte) ([]byte, store.ResultRetention) {
	if result == nil || r.Age == NoResults {
		return nil, store.ResultRetention{}
	}
	return result, store.ResultRetention(r)
}

func (r ResultRetention) validate(prefix string) error {
	if r.Age == NoResults {
		r.Age = 0
	}
	return store.RenameFields(store.ResultRetention(r).Validate(), func(field string) string { return prefix + field })
}
