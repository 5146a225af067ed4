package store

import (
	"context"
	"time"

	"github.com/rollcall-go/rollcall/store/bounds"
)

// Semaphores limit how many callers do something at a time, in all processes (promise P9). A
// semaphore has a key. The first claim makes it, in the partition that [PartitionOf] returns for
// the key. It is removed with the last lease and the last waiter; its fencing numbers never start
// again.
//
// A lease is held until its holder releases it, its time passes by the store's clock, or an
// operator ends it with ForceReleaseSemaphore. For every method, a lease is gone when its time has
// passed.
type Semaphores interface {
	// AcquireSemaphore takes a place, in one atomic step, if it is p's turn: any free slot, beginning
	// at a random one. It does not wait. If it is not p's turn and p.Wait is set, it takes a place in
	// the line, in the order of arrival, and keeps it for that time. Call it again with the same token
	// to keep the place longer, and to see whether it is p's turn. A signal is sent when it becomes
	// the turn of the first in the line. There is no signal if this happens because a time has passed:
	// waiters know that time from Next.
	//
	// It is p's turn if fewer than p.Max leases are held (for an exclusive claim: none), and if a
	// lease for p would leave room for all claims ahead in the line, by the Max of each. No claim
	// passes an exclusive claim in the line: so new readers wait while a writer waits.
	//
	// A repeat with the token of a lease that is held returns that lease, and does not extend it. A
	// repeat that arrives after the lease was released or has expired is a new claim; if no caller
	// uses its lease, it expires. Bad input gives a [*FieldError].
	AcquireSemaphore(ctx context.Context, p SemaphoreClaim) (SemaphoreReply, error)

	// RefreshSemaphore makes the token's lease end after ttl from now, and returns that time. A repeat
	// is harmless. Error: [ErrLeaseLost] if the lease is not held.
	RefreshSemaphore(ctx context.Context, key, token string, ttl time.Duration) (time.Time, error)

	// ReleaseSemaphore ends the token's lease, or its place in the line, and signals the first in the
	// line. Error: [ErrLeaseLost] if it has neither; no other lease changes. A repeat finds it gone;
	// [WithRetry] treats this as success.
	ReleaseSemaphore(ctx context.Context, key, token string) error

	// ForceReleaseSemaphore ends the leases whose fencing numbers are from first to last before their
	// time, in one step, and signals the first in the line. It returns how many leases it ended.
	// Waiters keep waiting. Numbers grow, so a caller that names the last number it saw ends no lease
	// that was given since, and a repeat ends none either. Bad input gives a [*FieldError]: numbers
	// are positive, and last is not below first.
	ForceReleaseSemaphore(ctx context.Context, key string, first, last int64) (int, error)

	// Semaphore reads the holders and waiters in one atomic step. A key that is not in use has none.
	Semaphore(ctx context.Context, key string) (SemaphoreRecord, error)

	// SemaphoreKeys lists keys of semaphores of a partition, sorted by their bytes: p.Limit of them
	// behind p.After, or fewer at the end. Each key that was in use for the whole time of the call,
	// and of the calls for the pages before, is listed. A key whose leases have expired may be listed
	// until a sweep has looked at it. Bad input gives a [*FieldError].
	SemaphoreKeys(ctx context.Context, p KeysParams) ([]string, error)
}

// SemaphoreClaim asks for a place.
type SemaphoreClaim struct {
	Key       string        // 1 to MaxSemaphoreKeyLen bytes, by the rule of job names
	Token     string        // chosen by the caller: a new random one for each claim, which nobody can guess
	Holder    string        // describes the caller, for others; 1 to MaxHolderLen characters, by the same rule
	Max       int           // number of places for this claim, 1 to MaxSlots; other claims may have another Max
	TTL       time.Duration // of the lease, in whole milliseconds; at least one
	Exclusive bool          // hold the semaphore alone
	Wait      time.Duration // keep a place in the line for this long, in whole milliseconds; 0 means no place
}

// SemaphoreReply is the answer to a claim.
type SemaphoreReply struct {
	Granted bool
	Lease   SemaphoreHolder // if Granted

	Now     time.Time         // the store's clock
	Next    time.Time         // if not Granted: when the first lease or place in the line ends; zero if there is none
	Ahead   int               // if not Granted: how many wait before this claim
	Place   int64             // if it waits: its number in the line, also in signals; numbers grow and never repeat
	Holders []SemaphoreHolder // if not Granted: holders, sorted by the end of their leases, at most MaxShownHolders
}

// SemaphoreHolder describes a lease without the token that proves it.
type SemaphoreHolder struct {
	Slot      int       `json:"slot"`  // 0 to Max-1
	Fence     int64     `json:"fence"` // grows with each lease of the key, and never starts again; positive
	Holder    string    `json:"holder"`
	Exclusive bool      `json:"exclusive"`
	Acquired  time.Time `json:"acquired"`
	Expires   time.Time `json:"expires"`
}

// SemaphoreWaiter describes a place in the line.
type SemaphoreWaiter struct {
	Holder    string    `json:"holder"`
	Exclusive bool      `json:"exclusive"`
	Since     time.Time `json:"since"`
	Expires   time.Time `json:"expires"` // unless the claim is repeated
}

// SemaphoreRecord is a semaphore at one moment.
type SemaphoreRecord struct {
	Now     time.Time         // the store's clock
	Holders []SemaphoreHolder // sorted by the end of their leases
	Waiters []SemaphoreWaiter // in order
}

// ValidateSemaphoreKey checks the key of a semaphore: 1 to [bounds.MaxSemaphoreKeyLen]
// bytes, under the same rule as a job name. The error is a [*FieldError] for the field "Key".
func ValidateSemaphoreKey(key string) error {
	return validateSeen("Key", key, bounds.MaxSemaphoreKeyLen)
}

// validateSemaphoreToken checks the token of a claim.
func validateSemaphoreToken(token string) error {
	return validateText("Token", token, bounds.MaxNameLen)
}

// Validate returns a [*FieldError] for each bad field, joined.
func (p *SemaphoreClaim) Validate() error {
	var f faults
	f.check(ValidateSemaphoreKey(p.Key), "")
	f.check(validateSemaphoreToken(p.Token), "")
	f.check(validateWords("Holder", p.Holder, bounds.MaxHolderLen), "")
	f.check(within("Max", p.Max, 1, bounds.MaxSlots), "")
	f.check(validateTTL(p.TTL), "")
	f.add(p.Wait != 0 && p.Wait < time.Millisecond, "Wait", "is shorter than a millisecond")
	return f.err()
}

// validateTTL checks the time of a semaphore's lease: at least a millisecond. The error is a
// [*FieldError] for the field "TTL".
func validateTTL(ttl time.Duration) error {
	if ttl < time.Millisecond {
		return &FieldError{Field: "TTL", Reason: "is shorter than a millisecond"}
	}
	return nil
}

// validateFences checks a range of fencing numbers. The errors are [*FieldError]s for the fields
// "First" and "Last".
func validateFences(first, last int64) error {
	var f faults
	f.add(first <= 0, "First", "is not positive")
	f.add(last < first, "Last", "is below First")
	return f.err()
}

// KeysParams ask for a page of the keys of semaphores in a partition.
type KeysParams struct {
	Partition int
	After     string // the last key of the page before; "" for the first page
	Limit     int    // 1 to [bounds.MaxPage]
}

// Validate returns a [*FieldError] for each bad field, joined.
func (p *KeysParams) Validate() error { return within("Limit", p.Limit, 1, bounds.MaxPage) }
