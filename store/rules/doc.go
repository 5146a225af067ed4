// Package rules has what every store decides in the same way: what it keeps of its audit, its history and its lost
// sessions, and in which order. It is for those who implement a store.
package rules
