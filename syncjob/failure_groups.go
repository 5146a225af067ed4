package syncjob

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"unicode"

	"github.com/rollcall-go/rollcall/store"
	"github.com/rollcall-go/rollcall/syncjob/states"
)

// Bounds of one reading of groups.
const (
	// maxFailureGroups is how many groups are told apart.
	maxFailureGroups = 100
	// groupedFailures is how many failures are read, unless the options say otherwise.
	groupedFailures = 10_000
	// groupedBytes is about how many bytes of arguments and texts are read.
	groupedBytes = 64 << 20
	// maxGroupError bounds the error of a group, in bytes.
	maxGroupError = 200
)

// FailureGroups reads failures as [Manager.Failures] does, and counts them by set, kind and error.
// It reads up to Limit failures that are selected, 10,000 if that is zero, and about 64 MiB of
// them; Next says where it stopped. It also stops when ctx ends; then it returns the groups of what
// it has read, and an error.
//
// So that each file or customer does not make a group of its own, errors are compared in a general
// form. A word with a digit becomes #; a word has letters, digits, and - _ . within it: so
// "chunk 17 of a1.bin: timeout after 1.5s" becomes "chunk # of #: timeout after #". What stands in
// double quotes, or between backquotes, becomes "…". White space becomes one space. Only the first
// 200 bytes count.
func (m *Manager) FailureGroups(ctx context.Context, opts *AllFailuresOptions) (states.FailureGroups, error) {
	var o AllFailuresOptions
	if opts != nil {
		o = *opts
	}
	if o.Limit == 0 {
		o.Limit = groupedFailures
	}
	c := failureCount{groups: make(map[groupKey]*states.FailureGroup), runs: make(map[groupKey]map[store.RunID]bool)}
	bytes, at := 0, o.After
	for letter, err := range m.allFailures(ctx, &o, &at) {
		if err != nil {
			out := c.sum()
			out.Next = at
			return out, fmt.Errorf("group failures: %w", err)
		}
		f := failure(letter, at)
		c.add(letter.Lane.Run, f)
		bytes += len(f.Payload) + len(f.Error) + len(f.Stack)
		if c.read >= o.Limit || bytes >= groupedBytes {
			out := c.sum()
			out.Next = at
			return out, nil
		}
	}
	return c.sum(), nil
}

// failureCount counts failures by group.
type failureCount struct {
	read   int
	groups map[groupKey]*states.FailureGroup
	runs   map[groupKey]map[store.RunID]bool
}

// groupKey is what the failures of a group have in common.
type groupKey struct{ set, kind, err string }

func (c *failureCount) add(run store.RunID, f states.Failure) {
	k := groupKey{f.Set, f.Kind, generalError(f.Error)}
	g := c.groups[k]
	if g == nil {
		g = &states.FailureGroup{Set: k.set, Kind: k.kind, Error: k.err, First: f.At, Last: f.At, Example: f}
		c.groups[k], c.runs[k] = g, make(map[store.RunID]bool)
	}
	c.read++
	c.runs[k][run] = true
	g.Count, g.Runs = g.Count+1, len(c.runs[k])
	if f.At.Before(g.First) {
		g.First = f.At
	}
	if f.At.After(g.Last) {
		g.Last = f.At
	}
}

// sum lists the largest groups.
func (c *failureCount) sum() states.FailureGroups {
	out := states.FailureGroups{Read: c.read}
	all := slices.SortedFunc(maps.Values(c.groups), func(a, b *states.FailureGroup) int {
		return cmp.Or(
			cmp.Compare(b.Count, a.Count), b.Last.Compare(a.Last), cmp.Compare(a.Set, b.Set),
			cmp.Compare(a.Kind, b.Kind), cmp.Compare(a.Error, b.Error),
		)
	})
	for i, g := range all {
		if i < maxFailureGroups {
			out.Groups = append(out.Groups, *g)
		} else {
			out.Others += g.Count
		}
	}
	return out
}

// generalError is an error in the form in which errors are compared.
func generalError(text string) string {
	var b strings.Builder
	for len(text) > 0 && b.Len() < maxGroupError {
		part, rest := errorPart(text)
		b.WriteString(part)
		text = rest
	}
	general := strings.TrimSpace(b.String())
	if len(general) > maxGroupError {
		general = strings.ToValidUTF8(general[:maxGroupError], "")
	}
	return general
}

// errorPart reads the next part of an error: a quotation, white space, a word or another character.
func errorPart(text string) (part, rest string) {
	if c := text[0]; c == '"' || c == '`' {
		if end := strings.IndexByte(text[1:], c); end >= 0 {
			return `"…"`, text[end+2:]
		}
	}
	if rest := strings.TrimLeftFunc(text, unicode.IsSpace); len(rest) < len(text) {
		return " ", rest
	}
	inWord := func(r rune) bool { return unicode.IsLetter(r) || unicode.IsDigit(r) || strings.ContainsRune("-_.", r) }
	end := strings.IndexFunc(text, func(r rune) bool { return !inWord(r) })
	if end < 0 {
		end = len(text)
	}
	word := strings.TrimRight(text[:end], "-_.")
	switch {
	case word == "":
		size := len(text)
		for i := range text {
			if i > 0 {
				size = i
				break
			}
		}
		return text[:size], text[size:]
	case strings.ContainsFunc(word, unicode.IsDigit):
		return "#", text[len(word):]
	}
	return word, text[len(word):]
}
