package format

import (
	"strconv"
	"strings"

	"github.com/rollcall-go/rollcall/store"
	"github.com/rollcall-go/rollcall/store/histogram"
)

// This file knows the form of histograms. The hashes times and taken have a field for each bucket
// with durations: w (waits) or r (runs), the letter of the bucket, a colon and the route. Elsewhere
// the histograms of a route are one word: the waits, a minus, and the runs, each with the letter of
// a bucket before its count, as in "A7C12-F19". The letter of bucket 0 is A, that of bucket 1 B,
// and so on by ASCII, to x.

const firstBucket = 'A'

func letterOf(b histogram.Bucket) byte { return byte(firstBucket + histogram.Index(b.From)) }

// TimesFields returns the fields of the hash times to which the histograms of a route are to be
// added, each with the number to add.
func TimesFields(t *store.RouteTimes) []string {
	route := RouteName(t.Route)
	fields := make([]string, 0, 2*(len(t.Wait)+len(t.Run)))
	add := func(kind string, h histogram.Histogram) {
		for _, b := range h {
			fields = append(fields, kind+string(letterOf(b))+":"+route, strconv.FormatInt(b.Count, 10))
		}
	}
	add("w", t.Wait)
	add("r", t.Run)
	return fields
}

// Timing gathers the histograms of routes from the fields of the hash taken.
type Timing map[store.Route]*struct{ wait, run histogram.Counts }

// Read takes in a field. It passes over what cannot be read.
func (t Timing) Read(name, value string) {
	if len(name) < 3 || name[2] != ':' {
		return
	}
	route, ok := ParseRoute(name[3:])
	n, err := ParseInt(value)
	bucket := int(name[1]) - firstBucket
	if !ok || err != nil || n <= 0 || bucket < 0 || bucket >= histogram.Size {
		return
	}
	if t[route] == nil {
		t[route] = new(struct{ wait, run histogram.Counts })
	}
	switch name[0] {
	case 'w':
		t[route].wait[bucket] = n // a page may repeat what an earlier one has
	case 'r':
		t[route].run[bucket] = n
	}
}

// Times returns the histograms.
func (t Timing) Times() map[store.Route]store.Times {
	all := make(map[store.Route]store.Times, len(t))
	for route, c := range t {
		all[route] = store.Times{Wait: c.wait.Histogram(), Run: c.run.Histogram()}
	}
	return all
}

// appendTimes appends the word of histograms.
func appendTimes(b []byte, t store.Times) []byte {
	return appendBuckets(append(appendBuckets(b, t.Wait), '-'), t.Run)
}

func appendBuckets(b []byte, h histogram.Histogram) []byte {
	for _, bucket := range h {
		b = strconv.AppendInt(append(b, letterOf(bucket)), bucket.Count, 10)
	}
	return b
}

// parseTimes reads a word. It leaves out what cannot be read.
func parseTimes(word string) store.Times {
	wait, run, _ := strings.Cut(word, "-")
	return store.Times{Wait: parseBuckets(wait), Run: parseBuckets(run)}
}

func parseBuckets(s string) (h histogram.Histogram) {
	for s != "" {
		end := 1
		for end < len(s) && s[end] >= '0' && s[end] <= '9' {
			end++
		}
		n, err := ParseInt(s[1:end])
		bucket := int(s[0]) - firstBucket
		if err != nil || bucket < 0 || bucket >= histogram.Size {
			return nil
		}
		h, s = append(h, histogram.Of(bucket, n)), s[end:]
	}
	if h.Validate() != nil {
		return nil
	}
	return h
}
