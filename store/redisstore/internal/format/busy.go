package format

import (
	"encoding/json"

	"github.com/rollcall-go/rollcall/store"
)

// busy is the field of a session that heartbeats write: what is known of its worker until the next.
type busy struct {
	Running        []store.RunningTask `json:"running,omitempty"`
	Configurations map[string]int64    `json:"configurations,omitempty"`
}

// Busy encodes what a heartbeat tells of its worker.
func Busy(p *store.HeartbeatParams) (string, error) {
	b, err := json.Marshal(busy{p.Running, p.Configurations})
	return string(b), err
}

// ParseBusy reads what [Busy] wrote into a record. Before the first heartbeat, it is empty.
func ParseBusy(s string, r *store.SessionRecord) error {
	var b busy
	if s != "" {
		if err := json.Unmarshal([]byte(s), &b); err != nil {
			return err
		}
	}
	r.Running, r.Configurations = b.Running, b.Configurations
	return nil
}
