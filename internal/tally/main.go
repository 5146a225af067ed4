// Tally reads the output of "go test -json" and reports what ran: a line for each package, the
// slowest tests, and everything that a failed test printed. Its exit status is 1 if a test failed,
// was skipped or did not end, or if none ran. The exit status of go test does not show a skipped
// test.
//
//	go test -json ./... | go run ./internal/tally
package main

import (
	"bufio"
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"time"
)

// slowest is how many tests are listed by time.
const slowest = 5

// event is a line of the input; see "go doc test2json".
type event struct {
	Action  string
	Package string
	Test    string // empty if the event is about the package
	Elapsed float64
	Output  string
}

// test is one test or subtest. With an empty name, it is the output of the package itself.
type test struct {
	pkg, name string
	action    string // the last but output: run, pass, fail, skip
	elapsed   time.Duration
	output    strings.Builder
}

// tally holds everything that was read.
type tally struct {
	tests    map[[2]string]*test
	packages []string // in the order of their ends
}

func main() {
	t, err := read(os.Stdin)
	text, ok := t.report()
	fmt.Print(text)
	if err != nil {
		fmt.Fprintf(os.Stderr, "tally: %v\n", err)
	}
	if err != nil || !ok {
		os.Exit(1)
	}
}

// read reads to the end. Lines of the go command, which are not events, go to standard error.
func read(in io.Reader) (*tally, error) {
	t := &tally{tests: make(map[[2]string]*test)}
	for lines := bufio.NewReader(in); ; {
		line, err := lines.ReadString('\n')
		var e event
		if json.Unmarshal([]byte(line), &e) == nil {
			t.add(e)
		} else {
			fmt.Fprint(os.Stderr, line)
		}
		if errors.Is(err, io.EOF) {
			return t, nil
		}
		if err != nil {
			return t, err
		}
	}
}

func (t *tally) add(e event) {
	if e.Action == "build-output" {
		fmt.Fprint(os.Stderr, e.Output)
		return
	}
	key := [2]string{e.Package, e.Test}
	one := t.tests[key]
	if one == nil {
		one = &test{pkg: e.Package, name: e.Test}
		t.tests[key] = one
	}
	switch e.Action {
	case "output":
		one.output.WriteString(e.Output)
	case "run":
		one.action = e.Action
	case "pass", "fail", "skip":
		one.action, one.elapsed = e.Action, time.Duration(e.Elapsed*float64(time.Second))
		if e.Action == "pass" {
			one.output.Reset()
		}
		if e.Test == "" {
			t.packages = append(t.packages, e.Package)
		}
	}
}

// report prints what ran, and returns whether all passed.
func (t *tally) report() (text string, ok bool) {
	var b strings.Builder
	var all []*test
	counts := make(map[string]int) // by package
	for _, one := range t.tests {
		if one.name != "" {
			all = append(all, one)
			counts[one.pkg]++
		}
	}
	slices.SortFunc(all, func(x, y *test) int {
		return cmp.Or(cmp.Compare(y.elapsed, x.elapsed), cmp.Compare(x.pkg, y.pkg), cmp.Compare(x.name, y.name))
	})
	good := t.reportBad(&b, all)
	for _, name := range t.packages {
		p := t.tests[[2]string{name, ""}]
		if p.action != "skip" { // it has no tests
			fmt.Fprintf(&b, "%s %7.1f s %5d tests  %s\n", p.action, p.elapsed.Seconds(), counts[name], name)
		}
	}
	for _, one := range all[:min(len(all), slowest)] {
		fmt.Fprintf(&b, "slow %7.1f s  %s %s\n", one.elapsed.Seconds(), one.pkg, one.name)
	}
	fmt.Fprintf(&b, "%d tests ran in %d packages\n", len(all), len(counts))
	return b.String(), good && len(all) > 0
}

// reportBad prints the tests that did not pass, with their output.
func (t *tally) reportBad(b *strings.Builder, all []*test) (good bool) {
	good = true
	for _, name := range t.packages {
		p := t.tests[[2]string{name, ""}]
		if p.action == "fail" {
			all, good = append(all, p), false
		}
	}
	for _, one := range all {
		switch one.action {
		case "fail":
			fmt.Fprintf(b, "FAILED %s %s\n%s", one.pkg, one.name, one.output.String())
		case "skip":
			fmt.Fprintf(b, "SKIPPED %s %s\n%s", one.pkg, one.name, one.output.String())
		case "run":
			fmt.Fprintf(b, "NOT ENDED %s %s\n%s", one.pkg, one.name, one.output.String())
		default:
			continue
		}
		good = false
	}
	return good
}
