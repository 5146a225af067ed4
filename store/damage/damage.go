// Package damage has the types of damage that a repair finds.
package damage

// Type says what is wrong.
type Type string

// The types of damage.
const (
	Record  Type = "record"  // a record is missing, has a wrong type, or has a field that cannot be read
	Task    Type = "task"    // a stored task cannot be decoded: it fails
	Counts  Type = "counts"  // counters disagree with what is stored
	Index   Type = "index"   // a record is missing in its index
	Session Type = "session" // a session holds tasks and has no lease that could end
	Hook    Type = "hook"    // a hook is due, but its task is lost
	State   Type = "state"   // a run should have ended
	Orphan  Type = "orphan"  // a record belongs to a run or session that is gone
)
