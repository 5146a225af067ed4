// Package plural writes numbers with the words that belong to them.
package plural

import "fmt"

// Of writes a number with its noun: 1 task, 2 tasks.
func Of[N ~int | ~int64](n N, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return fmt.Sprintf("%d %ss", n, noun)
}

// Verb is the form of a verb that belongs to a number: it waits, they wait.
func Verb[N ~int | ~int64](n N, one, several string) string {
	if n == 1 {
		return one
	}
	return several
}
