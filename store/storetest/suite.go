// Package storetest is the conformance suite of [store.Store]: what any
// implementation must do for the layers above it to keep Rollcall's promises.
//
// [Run] plays short lives of jobs against a store: producers that number their
// calls, workers that fetch and settle, sessions that die. There is one subtest for each
// promise, named after it (P01 to P15), whose failures lead with the promise's
// sentence, and one for each part of the contract that no promise covers
// (Contract_…). [RunModel] compares random sequences of operations with a small model.
//
// A store that keeps its state in memory runs in virtual time:
//
//	func TestConformance(t *testing.T) {
//		storetest.Run(t, storetest.Harness{
//			New:    func(tb testing.TB) store.Store { return newStore(tb) },
//			Bubble: true,
//		})
//	}
//
// One that talks to a server leaves Bubble unset: the suite then waits in real
// time, with leases of a fraction of a second. The suite holds either way, since it
// never asserts that something short has not happened yet. A store that keeps its state elsewhere
// can go on with what is stored there each time that the suite calls Advance, as the tests of
// internal/filestore do: so nothing may be left in memory only. [RunTwins] makes random calls of two
// stores, most of them bad, and compares the answers.
package storetest

import (
	"testing"
)

// Run checks every promise and every part of the contract, each case with a
// store of its own. It does not stop at the first failure.
func Run(t *testing.T, h Harness) {
	if h.New == nil {
		t.Fatal("storetest: Harness.New is nil")
	}
	h = h.withDefaults()
	for _, p := range append(promises(), contract()...) {
		t.Run(p.name, func(t *testing.T) {
			for _, c := range p.cases {
				t.Run(c.name, func(t *testing.T) {
					h.play(t, func(t *testing.T) { c.play(newScene(t, h, p.sentence)) })
				})
			}
		})
	}
}
