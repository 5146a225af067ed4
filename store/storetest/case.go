package storetest

// promise is a sentence that a store must keep, with the cases that test it.
type promise struct {
	name     string // name of the subtest
	sentence string // first part of every failure message
	cases    []testCase
}

// testCase is one test. Its name says the expected behaviour.
type testCase struct {
	name string
	play func(s *scene)
}
