package storetest

// promise is one sentence that a store must keep, and the cases that try it.
type promise struct {
	name     string // of the subtest
	sentence string // leads every failure message
	cases    []testCase
}

// testCase is one life to play. Its name says the behaviour that it expects.
type testCase struct {
	name string
	play func(s *scene)
}
