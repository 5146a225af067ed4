// Package observe has the callbacks for what happens in a process that starts jobs or runs tasks:
// an Observer for metrics, and what each callback is told.
package observe
