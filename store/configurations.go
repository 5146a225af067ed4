package store

import (
	"context"
	"fmt"
	"time"
	"unicode/utf8"

	"github.com/rollcall-go/rollcall/store/bounds"
)

// Configurations keeps the descriptions of handler sets, as workers publish them, and their
// configurations: one document for each set, and one for each run that differs from its set. The
// store does not interpret either.
type Configurations interface {
	// PublishSet stores the description of a set, in place of the one before; so a repeat is
	// harmless. A [*FieldError] if the name is not valid or the description is longer than
	// [bounds.MaxConfigurationLen].
	PublishSet(ctx context.Context, r SetRecord) error

	// Sets lists what was published of the sets of a partition, sorted by name. A set is in the
	// partition that [PartitionOf] returns for its name.
	Sets(ctx context.Context, partition int) ([]SetRecord, error)

	// Configuration reads a document. Its version is 0 if none was ever written. Errors:
	// [ErrRunNotFound] for a run that is gone; [ErrCorrupt] if the document cannot be read.
	Configuration(ctx context.Context, id ConfigurationID) (ConfigurationRecord, error)

	// WatchConfigurations reads the documents of sets, in the order given. It is for callers who
	// ask again and again: it may answer from a copy in memory, without a call. After a change it
	// may return the old state for some tenths of a second. A document that cannot be read has Err
	// set; the others are not affected.
	WatchConfigurations(ctx context.Context, sets []string) ([]ConfigurationRecord, error)

	// WriteConfiguration replaces or removes a document. In the same step it adds to the history,
	// which has the last [ConfigurationChanges] changes, each with the document before it. It
	// returns the new version: one more than before, also after a removal. A repeat with the same
	// p.Token is recognised as long as the history has the change, and returns the same version.
	// The document of a run is removed with its summary; a new version is signalled with
	// [signals.Run]. Errors: [ErrConflict] if the stored version is not p.IfVersion;
	// [ErrRunNotFound], [ErrRunFinished], [ErrOutOfMemory]. With these errors nothing is written.
	WriteConfiguration(ctx context.Context, p ConfigurationWrite) (int64, error)

	// ConfigurationHistory reads the last changes of a document, newest first. The errors are those of
	// Configuration.
	ConfigurationHistory(ctx context.Context, id ConfigurationID) ([]ConfigurationChange, error)
}

// Limits of Configurations.
const (
	// ConfigurationChanges is how many changes of a document are kept.
	ConfigurationChanges = 20
	// AnyVersion writes a document in any version.
	AnyVersion = -1
)

// SetRecord describes a handler set.
type SetRecord struct {
	Name        string
	Description []byte // encoded by the layer above
}

// ConfigurationID names the document of a set or of a run. Exactly one of the two is set. A set's
// document is in the partition that [PartitionOf] returns for its name; a run's document is in the
// partition of the run.
type ConfigurationID struct {
	Set string
	Run RunID
}

// String names the document in errors.
func (id ConfigurationID) String() string {
	if id.Set != "" {
		return fmt.Sprintf("configuration of the set %q", id.Set)
	}
	return fmt.Sprintf("configuration of run %d of job %q", id.Run.Number, id.Run.Job)
}

// Validate returns an error if the ID names no document.
func (id ConfigurationID) Validate() error {
	switch {
	case id.Set == "":
		return id.Run.validate()
	case id.Run != RunID{}:
		return &FieldError{Field: "Run", Reason: "cannot be set together with Set"}
	}
	return ValidateName("Set", id.Set)
}

// ConfigurationRecord is a document as it is stored.
type ConfigurationRecord struct {
	Version  int64  // grows with each change; 0 if there never was one
	Document []byte // nil if there is none
	Err      error  // WatchConfigurations: why it cannot be read; it matches [ErrCorrupt]
}

// ConfigurationWrite changes a document.
type ConfigurationWrite struct {
	ID        ConfigurationID
	Token     string // random: names the change; 1 to MaxNoteLen bytes of text
	IfVersion int64  // the version to replace; 0 if there is none; or [AnyVersion]
	Document  []byte // nil removes it
	By        string // who, for the history
	Reason    string // why, for the history
}

// ConfigurationChange is one entry of a history.
type ConfigurationChange struct {
	Version int64 // after the change
	By      string
	Reason  string
	At      time.Time // by the store's clock
	Before  []byte    // the document that it replaced; nil if there was none
}

// Validate returns a [*FieldError] for each bad field, joined.
func (p *ConfigurationWrite) Validate() error {
	var f faults
	f.check(p.ID.Validate(), "")
	f.check(validateText("Token", p.Token, bounds.MaxNoteLen), "")
	f.add(p.IfVersion < AnyVersion, "IfVersion", "is negative and not AnyVersion")
	f.add(len(p.Document) > bounds.MaxConfigurationLen, "Document", "is longer than 256 KiB")
	f.check(ValidateNote("By", p.By), "")
	f.check(ValidateNote("Reason", p.Reason), "")
	return f.err()
}

// ValidateNote checks a text that says who did something, or why: up to [bounds.MaxNoteLen] bytes
// of valid UTF-8. The error is a [*FieldError] for the given field.
func ValidateNote(field, text string) error {
	var f faults
	f.add(len(text) > bounds.MaxNoteLen, field, "is longer than 1 KiB")
	f.add(!utf8.ValidString(text), field, "is not valid UTF-8")
	return f.err()
}

// Validate returns a [*FieldError] for each bad field, joined.
func (r *SetRecord) Validate() error {
	var f faults
	f.name("Set", r.Name)
	f.add(len(r.Description) > bounds.MaxConfigurationLen, "Description", "is longer than 256 KiB")
	return f.err()
}
