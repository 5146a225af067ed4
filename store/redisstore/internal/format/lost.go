package format

import (
	"cmp"
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"github.com/rollcall-go/rollcall/store"
	"github.com/rollcall-go/rollcall/store/statuses"
)

// Worker encodes what a worker says of itself as two lines: its routes are the second one.
// close_session.lua keeps the first one if the session is lost.
func Worker(w store.WorkerInfo) (string, error) {
	routes, err := json.Marshal(w.Routes)
	if err != nil {
		return "", err
	}
	w.Routes, w.Status = nil, statuses.WorkerActive // which is a field of its own
	facts, err := json.Marshal(w)
	return string(facts) + "\n" + string(routes), err
}

// ParseWorker reads what [Worker] wrote. The second line may be missing.
func ParseWorker(s string) (w store.WorkerInfo, err error) {
	facts, routes, has := strings.Cut(s, "\n")
	err = json.Unmarshal([]byte(facts), &w)
	if err == nil && has {
		err = json.Unmarshal([]byte(routes), &w.Routes)
	}
	if err != nil {
		return store.WorkerInfo{}, err
	}
	return w, nil
}

// active is the stored form of [statuses.WorkerActive].
const active = "active"

// WorkerStatus encodes the status of a worker.
func WorkerStatus(s statuses.WorkerStatus) string { return cmp.Or(string(s), active) }

// ParseWorkerStatus reads what [WorkerStatus] wrote. Anything else is the status of a worker that
// fetches.
func ParseWorkerStatus(s string) statuses.WorkerStatus {
	switch status := statuses.WorkerStatus(s); status {
	case statuses.WorkerQuiet, statuses.WorkerDraining:
		return status
	}
	return statuses.WorkerActive
}

// ParseLost reads what close_session.lua keeps of a session: "SESSION HEARD HELD WORKER", and when
// it ended, in ms.
func ParseLost(record string, ended float64) (l store.LostSession, err error) {
	parts := strings.SplitN(record, " ", 4)
	if len(parts) < 4 {
		return l, fmt.Errorf("%w: the record of a lost session has no four parts", store.ErrCorrupt)
	}
	heard, err := ParseInt(parts[1])
	held, err2 := ParseInt(parts[2])
	if err != nil || err2 != nil {
		return l, fmt.Errorf("%w: numbers in the record of the lost session %q", store.ErrCorrupt, parts[0])
	}
	l = store.LostSession{ID: parts[0], Held: int(held), Ended: time.UnixMilli(int64(ended)).UTC()}
	if heard > 0 {
		l.Heard = time.UnixMilli(heard).UTC()
	}
	if l.Worker, err = ParseWorker(parts[3]); err != nil {
		return l, fmt.Errorf("%w: worker of the lost session %q: %v", store.ErrCorrupt, parts[0], err)
	}
	return l, nil
}
