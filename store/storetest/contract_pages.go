package storetest

import (
	"bytes"
	"strconv"

	"github.com/rollcall-go/rollcall/store"
	"github.com/rollcall-go/rollcall/store/bounds"
)

// Large items, of which two are about [bounds.PageBytes].
const (
	largeItems = 7
	largeItem  = bounds.PageBytes / 2
)

func large(i int) []byte {
	return append(bytes.Repeat([]byte{'x'}, largeItem-64), strconv.Itoa(i)...)
}

// pageOf requires that a page of large items is not empty, and has at most about
// [bounds.PageBytes].
func (s *scene) pageOf(n int) {
	s.tb.Helper()
	s.Positive(n)
	s.LessOrEqual(n, 3, "a page is bounded by bytes")
}

var pagesContract = []testCase{
	{"large values come by pages", func(s *scene) {
		r := s.open("import")
		w := s.writer(store.RunScope(r.id), "list")
		for i := range largeItems {
			w.one(store.Write{Type: store.ValueList, Op: store.WriteAppend, Data: []store.Datum{{Bytes: large(i)}}})
			w.one(store.Write{
				Name: "map", Type: store.ValueMap, Op: store.WriteSet, Data: []store.Datum{{Field: "f" + strconv.Itoa(i), Bytes: large(i)}},
			})
		}
		read := func(name string, kind store.ValueType, p store.ReadParams) store.ReadReply {
			p.Scope, p.Name, p.Type = store.RunScope(r.id), name, kind
			reply, err := s.store.ReadValue(s.ctx, p)
			s.NoError(err)
			s.EqualValues(largeItems, reply.Len)
			return reply
		}
		for at := 0; at < largeItems; {
			page := read("list", store.ValueList, store.ReadParams{Offset: int64(at), Limit: 100})
			for _, d := range page.Data {
				s.True(bytes.Equal(large(at), d.Bytes))
				at++
			}
			s.pageOf(len(page.Data))
		}
		seen := make(map[string]bool)
		for cursor := ""; ; { // how many come at a time depends on how a store keeps maps
			page := read("map", store.ValueMap, store.ReadParams{Cursor: cursor, Limit: 100})
			for _, d := range page.Data {
				seen[d.Field] = true
			}
			if cursor = page.Cursor; cursor == "" {
				break
			}
		}
		s.Len(seen, largeItems)
		fields := []string{"none", "f0", "f1", "f2", "f3", "other", "f4", "f5", "f6"}
		for got := 0; len(fields) > 0; {
			page := read("map", store.ValueMap, store.ReadParams{Fields: fields})
			s.Positive(page.Looked)
			s.LessOrEqual(len(page.Data), 3, "a page is bounded by bytes")
			if got += len(page.Data); page.Looked == len(fields) {
				s.Equal(largeItems, got)
			}
			fields = fields[page.Looked:]
		}
	}},
	{"large tasks are delivered, listed and kept as failures by pages", func(s *scene) {
		r := s.open("import")
		p, w := r.producer(), r.worker()
		for i := range largeItems {
			it := task(scan, "scan/"+strconv.Itoa(i))
			it.Task.Payload = large(i)
			p.add(r, it)
		}
		ds := w.take(largeItems)
		first, err := s.store.Held(s.ctx, w.session, nil)
		s.NoError(err)
		s.pageOf(len(first))
		s.Len(w.held(), largeItems, "those that are excepted make room for others")
		for _, d := range ds {
			w.settle(failed(d))
		}
		for at := 0; at < largeItems; {
			page, err := s.store.Failures(s.ctx, store.FailuresParams{Run: r.id, After: int64(at), Limit: 100})
			s.NoError(err)
			for _, f := range page {
				s.Equal("scan/"+strconv.Itoa(at), f.Task.ID)
				at++
			}
			s.pageOf(len(page))
		}
		page, err := s.store.Failures(s.ctx, store.FailuresParams{Run: r.id, After: largeItems, Limit: 100})
		s.NoError(err)
		s.Empty(page, "the end")
	}},
	{"jobs with large arguments are listed by pages", func(s *scene) {
		started := make(map[string]bool)
		for i := range largeItems {
			r := s.start(store.StartParams{Job: s.name("job"), Args: large(i), Open: true})
			started[r.id.Job] = true
		}
		for partition := range s.store.Partitions() {
			for after := ""; ; {
				page, err := s.store.ListJobs(s.ctx, store.ListParams{Partition: partition, After: after, Limit: 100, Details: true})
				s.NoError(err)
				s.LessOrEqual(len(page.Jobs), 3, "a page is bounded by bytes")
				for _, e := range page.Jobs {
					s.NotNil(e.Run)
					delete(started, e.Job.Name)
				}
				if after = page.Next; after == "" {
					break
				}
			}
		}
		s.Empty(started)
	}},
	{"what a worker held of large tasks goes back, and what is due comes up, in several calls", func(s *scene) {
		r := s.open("import")
		p, w := r.producer(), r.worker()
		for i := range largeItems {
			it := task(scan, "scan/"+strconv.Itoa(i))
			it.Task.Payload = large(i)
			p.add(r, it)
		}
		for _, d := range w.take(largeItems) {
			w.settle(retried(d, 1))
		}
		s.until(r.partition, "they are due again", func() bool {
			s.promote(r.partition)
			return r.record().Counts.Pending == largeItems
		})
		w.take(largeItems)
		w.close()
		r.counts(store.Counts{Pending: largeItems}, "all went back")
	}},
}
