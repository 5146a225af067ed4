package storetest

import (
	"fmt"
	"slices"

	"pgregory.net/rapid"

	"github.com/rollcall-go/rollcall/store"
	"github.com/rollcall-go/rollcall/store/actions"
)

// modelDocument is a configuration as the model knows it. The zero value was never written.
type modelDocument struct {
	version int64
	body    []byte                      // nil for none
	changes []store.ConfigurationChange // newest first, all of them
	marks   map[int64]int64             // by version, as they were told
}

// told checks the mark of the last change: one for each version, and of no other.
func (d *modelDocument) told(s *scene, mark int64) {
	if d.marks == nil {
		d.marks = map[int64]int64{0: 0}
	}
	if _, known := d.marks[d.version]; !known {
		d.marks[d.version] = mark
	}
	for version, other := range d.marks {
		s.Equal(version == d.version, mark == other, "version %d has the mark %d", version, other)
	}
}

// modelWrite is a write that a store took, and the version that it made.
type modelWrite struct {
	store.ConfigurationWrite
	version int64
}

// modelSets are the sets whose configurations are written.
var modelSets = []string{"ingest", "audit"}

// write replaces the document, in one step with its history.
func (d *modelDocument) write(p store.ConfigurationWrite) {
	d.version++
	d.changes = slices.Insert(
		d.changes, 0, store.ConfigurationChange{Version: d.version, By: p.By, Reason: p.Reason, Before: d.body},
	)
	d.body = p.Document
}

// document finds the model's document: nil if its run is gone.
func (m *model) documentOf(id store.ConfigurationID) *modelDocument {
	if id.Set != "" {
		return m.document[id.Set]
	}
	if r := m.runs[id.Run]; r != nil {
		return &r.document
	}
	return nil
}

// documentID draws whose configuration it is: that of a set, or of a run.
func (m *machine) documentID(t *rapid.T) store.ConfigurationID {
	if rapid.Bool().Draw(t, "of a set") {
		return ofSet(rapid.SampledFrom(modelSets).Draw(t, "set"))
	}
	return store.ConfigurationID{Run: m.run(t, func(*modelRun) bool { return true }).id}
}

// WriteConfiguration replaces a document, or removes it, if it has the version that the caller
// expects.
func (m *machine) WriteConfiguration(t *rapid.T) {
	id := m.documentID(t)
	doc := m.m.documentOf(id)
	p := store.ConfigurationWrite{
		ID: id, Token: m.s.name("change"), By: "ada", Reason: fmt.Sprint("number ", m.s.names),
		IfVersion: rapid.SampledFrom([]int64{doc.version, doc.version, store.AnyVersion, max(0, doc.version-1), doc.version + 1}).
			Draw(t, "version"),
		Document: rapid.SampledFrom([][]byte{[]byte("a"), []byte("b"), {}, nil}).Draw(t, "document"),
	}
	version, err := m.s.store.WriteConfiguration(m.s.ctx, p)
	switch {
	case id.Set == "" && m.m.runs[id.Run].status.Final():
		m.s.ErrorIs(err, store.ErrRunFinished)
	case p.IfVersion != store.AnyVersion && p.IfVersion != doc.version:
		m.s.ErrorIs(err, store.ErrConflict)
	default:
		m.s.NoError(err)
		if id.Set == "" || m.s.partition(id.Set) == 0 {
			m.m.audit.note(actions.Configure, id.Run, id.Set, p.Reason)
		}
		doc.write(p)
		m.s.Equal(doc.version, version)
		m.written = append(m.written, modelWrite{p, version})
	}
	m.checkDocument(id)
}

// RepeatConfiguration sends an earlier write again, which is recognised as long as its change is
// kept.
func (m *machine) RepeatConfiguration(t *rapid.T) {
	if len(m.written) == 0 {
		t.Skip("nothing was written")
	}
	w := rapid.SampledFrom(m.written).Draw(t, "write")
	version, err := m.s.store.WriteConfiguration(m.s.ctx, w.ConfigurationWrite)
	switch doc := m.m.documentOf(w.ID); {
	case doc == nil:
		m.s.ErrorIs(err, store.ErrRunNotFound)
	case w.version <= doc.version-store.ConfigurationChanges:
		t.Skip("forgotten") // whether it is a write of an old version or of any
	default:
		m.s.NoError(err)
		m.s.Equal(w.version, version)
		m.checkDocument(w.ID)
	}
}

// PublishSet describes a set.
func (m *machine) PublishSet(t *rapid.T) {
	set, text := rapid.SampledFrom(modelSets).Draw(t, "set"), rapid.StringN(0, 3, 9).Draw(t, "description")
	for range 2 {
		m.s.NoError(m.s.store.PublishSet(m.s.ctx, store.SetRecord{Name: set, Description: []byte(text)}))
	}
	m.m.sets[set] = text
	m.checkSetRecords()
}

// checkDocument compares a document and its history.
func (m *machine) checkDocument(id store.ConfigurationID) {
	s, doc := m.s, m.m.documentOf(id)
	rec, err := s.store.Configuration(s.ctx, id)
	s.NoError(err)
	s.Equal(store.ConfigurationRecord{Version: doc.version, Document: doc.body}, rec)
	history, err := s.store.ConfigurationHistory(s.ctx, id)
	s.NoError(err)
	s.Len(history, min(len(doc.changes), store.ConfigurationChanges))
	for i, c := range history {
		c.At = doc.changes[i].At
		s.Equal(doc.changes[i], c)
	}
}

// checkSetRecords compares what was published.
func (m *machine) checkSetRecords() {
	got := make(map[string]string)
	for _, r := range m.s.sets() {
		got[r.Name] = string(r.Description)
	}
	m.s.Equal(m.m.sets, got)
}

// watch asks for the documents of sets as workers do, and reports whether the answer is up to date.
func (m *machine) watch() bool {
	records, err := m.s.store.WatchConfigurations(m.s.ctx, modelSets)
	m.s.NoError(err)
	m.s.Len(records, len(modelSets))
	for i, rec := range records {
		doc := m.m.document[modelSets[i]]
		m.s.NoError(rec.Err)
		m.s.LessOrEqual(rec.Version, doc.version)
		if rec.Version < doc.version {
			return false
		}
		m.s.Equal(doc.body, rec.Document)
	}
	return true
}

// endConfigurations compares every document, and requires that those who watch come to see them.
func (m *machine) endConfigurations() {
	m.checkSetRecords()
	for _, set := range modelSets {
		m.checkDocument(ofSet(set))
	}
	for _, r := range m.m.ordered() {
		m.checkDocument(store.ConfigurationID{Run: r.id})
	}
	for range patience {
		if m.watch() {
			return
		}
		m.s.h.Advance(m.s.tb, tick)
	}
	m.s.Fail("who watches never sees the last version")
}
