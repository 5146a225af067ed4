// Package cron calls functions of one process when they are due, by its local clock. What must be
// due once for all processes together is a periodic job of package syncjob, or gets a gate.
//
// Schedulers do not know of each other: each process that runs one calls its functions.
package cron
