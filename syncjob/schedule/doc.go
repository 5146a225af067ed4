// Package schedule says when the runs of a periodic job start.
package schedule
