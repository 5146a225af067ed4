package storetest

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"

	"github.com/rollcall-go/rollcall/store"
	"github.com/rollcall-go/rollcall/store/bounds"
)

// ofSet and ofRun return names of documents.
func ofSet(set string) store.ConfigurationID { return store.ConfigurationID{Set: set} }

func (r *run) document() store.ConfigurationID { return store.ConfigurationID{Run: r.id} }

// configure replaces a document of a version; it returns the new one.
func (s *scene) configure(id store.ConfigurationID, version int64, document string) (int64, error) {
	return s.store.WriteConfiguration(s.ctx, store.ConfigurationWrite{
		ID: id, Token: s.name("change"), IfVersion: version, Document: []byte(document), By: "ada", Reason: "because of " + document,
	})
}

// configured requires a document to be as expected.
func (s *scene) configured(id store.ConfigurationID, version int64, document string) {
	s.tb.Helper()
	rec, err := s.store.Configuration(s.ctx, id)
	s.NoError(err)
	s.Equal(version, rec.Version)
	s.Equal(document, string(rec.Document))
}

// sets lists what was published, by name. Each partition must have its own.
func (s *scene) sets() (all []store.SetRecord) {
	s.tb.Helper()
	for partition := range s.store.Partitions() {
		sets, err := s.store.Sets(s.ctx, partition)
		s.NoError(err)
		s.True(slices.IsSortedFunc(sets, byName), "sorted by name")
		for _, set := range sets {
			s.Equal(partition, s.partition(set.Name), set.Name)
		}
		all = append(all, sets...)
	}
	slices.SortFunc(all, byName)
	return all
}

func byName(a, b store.SetRecord) int { return cmp.Compare(a.Name, b.Name) }

var configurationsContract = []testCase{
	{"what was published last of a set is listed in the order of names", func(s *scene) {
		s.Empty(s.sets())
		for _, set := range []string{"thumbs", "ingest", "audit", "report"} {
			s.NoError(s.store.PublishSet(s.ctx, store.SetRecord{Name: set, Description: []byte("old")}))
			s.NoError(s.store.PublishSet(s.ctx, store.SetRecord{Name: set, Description: []byte(set)}))
		}
		s.Equal([]store.SetRecord{
			{Name: "audit", Description: []byte("audit")}, {Name: "ingest", Description: []byte("ingest")},
			{Name: "report", Description: []byte("report")}, {Name: "thumbs", Description: []byte("thumbs")},
		}, s.sets())
	}},
	{"a document is replaced only by who knows its version", func(s *scene) {
		s.configured(ofSet("ingest"), 0, "")
		_, err := s.configure(ofSet("ingest"), 1, "early")
		s.ErrorIs(err, store.ErrConflict)
		v, err := s.configure(ofSet("ingest"), 0, "a")
		s.NoError(err)
		s.Equal(int64(1), v)
		_, err = s.configure(ofSet("ingest"), 0, "late")
		s.ErrorIs(err, store.ErrConflict)
		v, err = s.configure(ofSet("ingest"), 1, "b")
		s.NoError(err)
		s.Equal(int64(2), v)
		s.configured(ofSet("ingest"), 2, "b")
		v, err = s.configure(ofSet("ingest"), store.AnyVersion, "c")
		s.NoError(err)
		s.Equal(int64(3), v)
		s.configured(ofSet("ingest"), 3, "c")
		s.configured(ofSet("other"), 0, "")
	}},
	{"of many who change one version, one does", func(s *scene) {
		const writers = 16
		var won atomic.Int64
		tokens := make([]string, writers)
		for i := range tokens {
			tokens[i] = s.name("change")
		}
		for version := range int64(5) {
			won.Store(0)
			s.together(writers, func(i int) error {
				_, err := s.store.WriteConfiguration(s.ctx, store.ConfigurationWrite{
					ID: ofSet(
						"ingest",
					), Token: tokens[i] + strconv.FormatInt(version, 10), IfVersion: version, Document: []byte(tokens[i]),
				})
				if err == nil {
					won.Add(1)
				}
				if errors.Is(err, store.ErrConflict) {
					return nil
				}
				return err
			})
			s.Equal(int64(1), won.Load())
		}
	}},
	{"a removed document leaves its version and its history", func(s *scene) {
		_, err := s.configure(ofSet("ingest"), 0, "a")
		s.NoError(err)
		v, err := s.store.WriteConfiguration(
			s.ctx, store.ConfigurationWrite{ID: ofSet("ingest"), Token: "t", IfVersion: 1},
		)
		s.NoError(err)
		s.Equal(int64(2), v)
		rec, err := s.store.Configuration(s.ctx, ofSet("ingest"))
		s.NoError(err)
		s.Equal(store.ConfigurationRecord{Version: 2}, rec)
		_, err = s.configure(ofSet("ingest"), 0, "b")
		s.ErrorIs(err, store.ErrConflict, "a version never comes again")
		_, err = s.configure(ofSet("ingest"), 2, "")
		s.NoError(err)
		rec, err = s.store.Configuration(s.ctx, ofSet("ingest"))
		s.NoError(err)
		s.NotNil(rec.Document, "an empty document is one")
		history, err := s.store.ConfigurationHistory(s.ctx, ofSet("ingest"))
		s.NoError(err)
		s.Len(history, 3)
		s.Nil(history[0].Before)
		s.Equal("a", string(history[1].Before))
		s.Nil(history[2].Before)
	}},
	{"the last changes are kept, newest first, each with what was before", func(s *scene) {
		none, err := s.store.ConfigurationHistory(s.ctx, ofSet("ingest"))
		s.NoError(err)
		s.Empty(none)
		const changes = store.ConfigurationChanges + 5
		for v := range int64(changes) {
			_, err := s.configure(ofSet("ingest"), v, fmt.Sprint("d", v+1))
			s.NoError(err)
		}
		history, err := s.store.ConfigurationHistory(s.ctx, ofSet("ingest"))
		s.NoError(err)
		s.Len(history, store.ConfigurationChanges)
		for i, c := range history {
			s.Equal(int64(changes-i), c.Version)
			s.Equal("ada", c.By)
			s.Equal(fmt.Sprint("because of d", c.Version), c.Reason)
			s.Equal(fmt.Sprint("d", c.Version-1), string(c.Before))
			s.False(c.At.IsZero())
			if i > 0 {
				s.False(c.At.After(history[i-1].At))
			}
		}
	}},
	{"a repeated change is recognised, also after others", func(s *scene) {
		first := store.ConfigurationWrite{ID: ofSet("ingest"), Token: "first", IfVersion: 0, Document: []byte("a")}
		for range 2 {
			v, err := s.store.WriteConfiguration(s.ctx, first)
			s.NoError(err)
			s.Equal(int64(1), v)
		}
		_, err := s.configure(ofSet("ingest"), 1, "b")
		s.NoError(err)
		v, err := s.store.WriteConfiguration(s.ctx, first)
		s.NoError(err, "a reply that was lost is no conflict")
		s.Equal(int64(1), v)
		s.configured(ofSet("ingest"), 2, "b")
		first.Token, first.IfVersion = "any", store.AnyVersion
		for range 2 {
			v, err := s.store.WriteConfiguration(s.ctx, first)
			s.NoError(err)
			s.Equal(int64(3), v)
		}
		history, err := s.store.ConfigurationHistory(s.ctx, ofSet("ingest"))
		s.NoError(err)
		s.Len(history, 3)
	}},
	{"who watches sees a change soon", func(s *scene) {
		watch := func() string {
			records, err := s.store.WatchConfigurations(s.ctx, []string{"ingest", "thumbs"})
			s.NoError(err)
			s.Len(records, 2)
			s.NoError(errors.Join(records[0].Err, records[1].Err))
			s.Zero(records[1].Version)
			return fmt.Sprint(records[0].Version, " ", string(records[0].Document))
		}
		s.Equal("0 ", watch())
		for v := range int64(3) {
			_, err := s.configure(ofSet("ingest"), v, fmt.Sprint("d", v))
			s.NoError(err)
			s.until(
				s.partition("ingest"), "the change is seen", func() bool { return watch() == fmt.Sprint(v+1, " d", v) },
			)
		}
		none, err := s.store.WatchConfigurations(s.ctx, nil)
		s.NoError(err)
		s.Empty(none)
	}},
	{"workers are told with each task, and by heartbeats, that a run's own document has changed", func(s *scene) {
		for job, document := range map[string][]byte{"configured": []byte("at start"), "plain": nil} {
			r := s.start(store.StartParams{Job: job, Configuration: document})
			rec, err := s.store.Configuration(s.ctx, r.document())
			s.NoError(err)
			w := r.worker()
			marks := []int64{w.one().Configured}
			s.Equal(document != nil, marks[0] != 0)
			for i := range 3 {
				reply, err := w.heartbeat(r)
				s.NoError(err)
				s.Equal(marks[i], reply.Runs[0].Configured)
				_, err = s.configure(r.document(), rec.Version+int64(i), "later")
				s.NoError(err)
				reply, err = w.heartbeat(r)
				s.NoError(err)
				marks = append(marks, reply.Runs[0].Configured)
				s.NotContains(marks[:i+1], marks[i+1], "another mark for each change")
				w.close()
				w = r.worker()
				s.Equal(marks[i+1], w.one().Configured)
			}
			r.stop(false)
		}
	}},
	{"a repeated fetch tells of the run's own document, too", func(s *scene) {
		w := s.start(store.StartParams{Job: "import", Configuration: []byte("at start")}).worker()
		mark := w.one().Configured
		s.NotZero(mark)
		again, err := w.refetch(1)
		s.NoError(err)
		s.Len(again, 1)
		s.Equal(mark, again[0].Configured)
	}},
	{"a document of a run goes with its summary, and cannot be changed after its end", func(s *scene) {
		before := s.leftovers()
		r := s.start(store.StartParams{Job: "import", Configuration: []byte("at start")})
		other := s.start(store.StartParams{Job: "other"})
		_, err := s.configure(other.document(), 0, "later")
		s.NoError(err)
		for _, r := range []*run{r, other} {
			r.stop(false)
			_, err = s.configure(r.document(), store.AnyVersion, "too late")
			s.ErrorIs(err, store.ErrRunFinished)
			history, err := s.store.ConfigurationHistory(s.ctx, r.document())
			s.NoError(err)
			s.LessOrEqual(len(history), 1)
			s.NoError(s.store.DeleteRun(s.ctx, r.id))
			_, err = s.configure(r.document(), store.AnyVersion, "too late")
			s.ErrorIs(err, store.ErrRunNotFound)
			_, err = s.store.Configuration(s.ctx, r.document())
			s.ErrorIs(err, store.ErrRunNotFound)
			_, err = s.store.ConfigurationHistory(s.ctx, r.document())
			s.ErrorIs(err, store.ErrRunNotFound)
		}
		s.sweep(other.partition)
		s.nothingBeyond(before, r.partition)
	}},
	{"what cannot be stored is refused by field, and nothing is written", func(s *scene) {
		long := strings.Repeat("x", bounds.MaxConfigurationLen+1)
		for field, p := range map[string]store.ConfigurationWrite{
			"Set":       {ID: ofSet("a/b"), Token: "t"},
			"Run":       {ID: store.ConfigurationID{Set: "a", Run: store.RunID{Job: "j"}}, Token: "t"},
			"Token":     {ID: ofSet("a")},
			"IfVersion": {ID: ofSet("a"), Token: "t", IfVersion: -2},
			"Document":  {ID: ofSet("a"), Token: "t", Document: []byte(long)},
			"By":        {ID: ofSet("a"), Token: "t", By: long},
			"Reason":    {ID: ofSet("a"), Token: "t", Reason: "\xff"},
		} {
			_, err := s.store.WriteConfiguration(s.ctx, p)
			var bad *store.FieldError
			s.ErrorAs(err, &bad, field)
			s.Equal(field, bad.Field)
		}
		s.configured(ofSet("a"), 0, "")
		s.ErrorIs(s.store.PublishSet(s.ctx, store.SetRecord{Name: "a/b"}), store.ErrInvalid)
		s.ErrorIs(s.store.PublishSet(s.ctx, store.SetRecord{Name: "a", Description: []byte(long)}), store.ErrInvalid)
		params := s.params(store.StartParams{Job: "import", Configuration: []byte(long)})
		_, err := s.store.StartRun(s.ctx, params)
		s.ErrorIs(err, store.ErrInvalid)
	}},
}
