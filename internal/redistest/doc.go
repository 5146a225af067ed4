// Package redistest starts real redis-server processes for tests, on free
// loopback ports and with a temporary directory each, and puts a [Proxy] in front of
// them that loses replies on purpose.
//
// Every process belongs to the test that started it and is killed, by its own
// process ID, when that test ends; on Linux also when the test binary is
// killed. Without redis-server on the PATH a test that asks for one is
// skipped, unless the environment has ROLLCALL_REQUIRE_REDIS=1: then it fails.
package redistest
