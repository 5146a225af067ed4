package dashboard

import (
	"encoding/json"

	"github.com/rollcall-go/rollcall/syncjob/states"
)

// visible is what a program may see of data: what Options.Payload returns, if that is valid.
func visible[T any](d *source, p Payload, v T) (seen T) {
	var err error
	if p.Data, err = json.Marshal(v); err != nil {
		return seen
	}
	if text := d.payload(p); text == "" || json.Unmarshal([]byte(text), &seen) != nil {
		var none T
		return none
	}
	return seen
}

func (d *source) hideRun(s *states.Run) {
	s.Headers = visible(d, Payload{Job: s.Job, Set: s.Set, What: "headers"}, s.Headers)
	s.Result = visible(d, Payload{Job: s.Job, Set: s.Set, What: "result"}, s.Result)
}

func (d *source) hideTask(t *states.Task) {
	t.Headers = visible(d, Payload{Job: t.Job, Set: t.Set, Kind: t.Kind, What: "headers"}, t.Headers)
}

func (d *source) hideFailure(f *states.Failure) {
	f.Headers = visible(d, Payload{Job: f.Job, Set: f.Set, Kind: f.Kind, What: "headers"}, f.Headers)
}

func (d *source) hideJob(s *states.Job) {
	s.Definition = visible(d, Payload{Job: s.Name, What: "definition"}, s.Definition)
	if s.Run != nil {
		d.hideRun(s.Run)
	}
}
