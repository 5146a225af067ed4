package mirror

// need is what the copy of a directory needs.
type need string

// The needs.
const (
	needNothing need = ""
	needRights  need = "rights"  // it is closed: its owner gets the rights to change it, until the end of the run
	needUpdate  need = "update"  // it has another mode or time
	needMake    need = "make"    // it is missing
	needReplace need = "replace" // something else is in its place
)
