// Package values stores small data: counters, floats, times, JSON values, lists and maps. A value
// belongs to a run, to a job or to the namespace.
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
// the call returns. For writes that take effect with the success of a task, see package handlers.
//
// How long a value is kept depends on its scope: [store.RunScope], [store.JobScope],
// [store.NamespaceScope].
package values
