package crontab

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
)

// field describes one field of an expression.
type field struct {
	name       string
	first, end int // * is from first to end
	max        int // the largest allowed number
	names      []string
	blank      bool // ? is allowed for *
}

var fields = [5]field{
	{name: "minute", first: 0, end: 59, max: 59},
	{name: "hour", first: 0, end: 23, max: 23},
	{name: "day of month", first: 1, end: 31, max: 31, blank: true},
	{name: "month", first: 1, end: 12, max: 12, names: []string{
		"jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec",
	}},
	{name: "day of week", first: 0, end: 6, max: 7, blank: true, names: []string{
		"sun", "mon", "tue", "wed", "thu", "fri", "sat",
	}},
}

// parse reads a list of parts. whole is true if the field is not restricted.
func (f *field) parse(text string) (set uint64, whole bool, err error) {
	for _, part := range strings.Split(text, ",") {
		of, stepText, stepped := strings.Cut(part, "/")
		step := 1
		if stepped {
			if step, err = number(stepText); err != nil || step == 0 {
				return 0, false, fmt.Errorf("has the step %.80q, which is not a positive number", stepText)
			}
		}
		from, to, every, err := f.bounds(of, stepped)
		if err != nil {
			return 0, false, err
		}
		whole = whole || every && step == 1
		for n := from; n <= to; n += step {
			set |= 1 << n
		}
	}
	return set, whole, nil
}

// bounds reads a part without its step. every is true if the part is * or ?.
func (f *field) bounds(text string, stepped bool) (from, to int, every bool, err error) {
	if text == "*" || text == "?" && f.blank {
		return f.first, f.end, true, nil
	}
	low, high, ranged := strings.Cut(text, "-")
	if from, err = f.value(low); err != nil {
		return 0, 0, false, err
	}
	switch {
	case !ranged && stepped:
		return from, max(from, f.end), false, nil
	case !ranged:
		return from, from, false, nil
	}
	if to, err = f.value(high); err != nil {
		return 0, 0, false, err
	}
	if to == 0 && from > 0 && f.max > f.end {
		to = f.max // Sunday ends a week, as in FRI-SUN
	}
	if from > to {
		return 0, 0, false, fmt.Errorf("has the range %.80q, which begins after its end", text)
	}
	return from, to, false, nil
}

// value reads a number or name.
func (f *field) value(text string) (int, error) {
	for i, name := range f.names {
		if strings.EqualFold(name, text) {
			return f.first + i, nil
		}
	}
	n, err := number(text)
	if err != nil {
		return 0, fmt.Errorf("has %.80q, which it does not know", text)
	}
	if n < f.first || n > f.max {
		return 0, fmt.Errorf("has %d, which is not between %d and %d", n, f.first, f.max)
	}
	return n, nil
}

var errNoNumber = errors.New("not a number of one to three digits")

// number reads digits, without a sign.
func number(text string) (int, error) {
	if len(text) > 3 {
		return 0, errNoNumber
	}
	n, err := strconv.ParseUint(text, 10, 16)
	if err != nil {
		return 0, errNoNumber
	}
	return int(n), nil
}
