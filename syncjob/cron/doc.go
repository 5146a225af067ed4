// Package cron calls functions of one process when they are due, by its local clock. If a function
// must run once for all processes together, use a periodic job of package syncjob, or a gate.
//
// The schedulers of several processes are independent: each calls its functions.
package cron
