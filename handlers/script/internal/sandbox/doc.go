// Package sandbox compiles and runs Starlark so that no script can harm its process: it has no
// files, no network, no clock, and nothing but what the host gives it.
//
// One currency bounds time and memory: the step. An instruction of the interpreter costs one step,
// and makes at most some tens of bytes. An operation that can read or make more than that (to
// concatenate, repeat, compare, format, join, copy, hash) costs a step for each element and for
// each 16 bytes, and pays before it begins. A call has a number of steps. So a script that doubles
// a string, builds a list of lists of lists, or compares such lists ends with [ErrSteps], on every
// machine at the same place, and has used memory in proportion to its steps.
//
// To charge for operations, the program is rewritten before it is compiled: "x + y" becomes a call
// of a builtin whose name is "+", which no script can write. Methods are reached in the same way,
// by ".". So only methods and builtins with a known price exist.
//
// The interpreter looks at the clock and at the context every [slice] steps.
package sandbox
