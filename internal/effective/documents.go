package effective

import (
	"bytes"
	"context"

	"github.com/rollcall-go/rollcall/handlers"
	"github.com/rollcall-go/rollcall/store"
)

// documents holds the configurations of sets as they were last read. If one cannot be read, the
// last good one is kept. Only one caller at a time may use it.
type documents struct {
	last map[string]store.ConfigurationRecord
	good map[string]handlers.Configuration
}

// read reads the documents of sets, and logs each one that changed.
func (d *documents) read(
	ctx context.Context, s store.Configurations, sets []string,
	changed func(set string, version int64, c handlers.Configuration, err error),
) error {
	records, err := s.WatchConfigurations(ctx, sets)
	if err != nil {
		return err
	}
	if d.last == nil {
		d.last, d.good = make(map[string]store.ConfigurationRecord), make(map[string]handlers.Configuration)
	}
	for i, r := range records {
		set := sets[i]
		if same(d.last[set], r) {
			continue
		}
		d.last[set] = r
		c, err := decode(r)
		if err == nil {
			d.good[set] = c
		}
		changed(set, r.Version, c, err)
	}
	return nil
}

func decode(r store.ConfigurationRecord) (handlers.Configuration, error) {
	if r.Err != nil {
		return handlers.Configuration{}, r.Err
	}
	return handlers.DecodeConfiguration(r.Document)
}

func same(a, b store.ConfigurationRecord) bool {
	if a.Err != nil || b.Err != nil {
		return a.Err != nil && b.Err != nil && a.Err.Error() == b.Err.Error()
	}
	return a.Version == b.Version && bytes.Equal(a.Document, b.Document)
}
