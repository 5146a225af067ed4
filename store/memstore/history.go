package memstore

import (
	"time"

	"github.com/rollcall-go/rollcall/store"
	"github.com/rollcall-go/rollcall/store/bounds"
	"github.com/rollcall-go/rollcall/store/rules"
)

// history has the points of a partition, oldest first.
type history struct {
	noted          rules.Noted
	times          map[store.Route]store.Times // that came since
	minutes, hours []store.HistoryPoint
}

// add adds the histograms of a settlement.
func (h *history) add(all []store.RouteTimes) {
	for _, t := range all {
		if h.times == nil {
			h.times = make(map[store.Route]store.Times)
		}
		h.times[t.Route] = h.times[t.Route].Plus(t.Times)
	}
}

// note adds the points of a minute, once, and drops those that are too old.
func (h *history) note(now time.Time, l *ledger) {
	figures := make(map[store.Route]store.Figures, len(l.figures))
	for route, f := range l.figures {
		if route.Counted() {
			figures[route] = f.Figures
		}
	}
	minute, hour, ok := h.noted.Take(now, figures, h.times)
	if ok {
		h.times = nil
	}
	h.minutes = rules.KeepPoints(h.minutes, minute, now, bounds.MinutesKept)
	h.hours = rules.KeepPoints(h.hours, hour, now, bounds.HoursKept)
}
