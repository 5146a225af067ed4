// Package values keeps small data beside tasks: counters, floats, times, values, lists and maps of
// a run, of a job or of the namespace.
//
//	client := values.NewClient(s) // or Values of a syncjob.Manager
//	seen := values.NewMap[time.Time](client, store.JobScope("import/42"), "seen")
//	err := seen.Set(ctx, "a.csv", time.Now())
//
// A reference, such as a [Map], names one value by its scope and name. Making one costs no I/O. A
// name has a value of one type at a time: the others are refused with [store.ErrWrongType]. Only
// the counters of a run have names of their own. What is damaged in the store is
// [store.ErrCorrupt].
//
// Each write is one step and is applied exactly once, even if the reply is lost. It is stored when
// the call returns. Writes that join the success of a task are made by package handlers.
//
// How long a value is kept depends on its scope: [store.RunScope], [store.JobScope],
// [store.NamespaceScope].
package values
