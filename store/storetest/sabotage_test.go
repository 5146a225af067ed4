package storetest_test

import (
	"context"
	"os"
	"os/exec"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/rollcall-go/rollcall/store"
	"github.com/rollcall-go/rollcall/store/memstore"
	"github.com/rollcall-go/rollcall/store/statuses"
	"github.com/rollcall-go/rollcall/store/storetest"
	"github.com/rollcall-go/rollcall/store/verdicts"
)

// sabotageEnv names the sabotage that a child process shall run the suite with.
const sabotageEnv = "STORETEST_SABOTAGE"

// sabotages are stores that break one promise each. A suite that cannot see it
// is worth nothing.
var sabotages = map[string]struct {
	subtest  string // that must fail
	sentence string // that its failures must lead with
	breaks   func(store.Store) store.Store
}{
	"loses tasks of dead sessions": {
		"P01_AtLeastOnce",
		"P1 At least once.",
		func(s store.Store) store.Store { return &losesDead{Store: s} },
	},
	"forgets a retry": {
		"P01_AtLeastOnce",
		"P1 At least once.",
		func(s store.Store) store.Store { return &failsRetries{s} },
	},
	"counts one too many while running": {
		"P02_ExactCounts",
		"P2 Exact counts.",
		func(s store.Store) store.Store { return &miscounts{s} },
	},
	"counts what was settled late": {
		"P02_ExactCounts",
		"P2 Exact counts.",
		func(s store.Store) store.Store { return &countsRepeats{Store: s} },
	},
	"never gives out the hook": {
		"P03_CompletionOnce",
		"P3 Completion once.",
		func(s store.Store) store.Store { return &dropsHook{s} },
	},
	"says twice that a run ended": {
		"P03_CompletionOnce",
		"P3 Completion once.",
		func(s store.Store) store.Store { return &endsTwice{Store: s} },
	},
	"ignores holds": {
		"P03_CompletionOnce",
		"P3 Completion once.",
		func(s store.Store) store.Store { return &dropsHolds{s} },
	},
	"keeps children of failed parents": {
		"P04_ExactlyOnceFanOut",
		"P4 Exactly-once fan-out.",
		func(s store.Store) store.Store { return &leaksChildren{Store: s} },
	},
	"shows staged children at once": {
		"P04_ExactlyOnceFanOut",
		"P4 Exactly-once fan-out.",
		func(s store.Store) store.Store { return &stagesInTheOpen{Store: s} },
	},
	"believes that children are there": {
		"P04_ExactlyOnceFanOut",
		"P4 Exactly-once fan-out.",
		func(s store.Store) store.Store { return &believesParents{s} },
	},
	"seals what broke off": {
		"P03_CompletionOnce",
		"P3 Completion once.",
		func(s store.Store) store.Store { return &sealsBrokenOff{s} },
	},
	"forgets when tasks expire": {
		"Contract_Tasks",
		"Contract, Producers: tasks keep",
		func(s store.Store) store.Store { return &forgetsExpiry{s} },
	},
	"forgets deadlines": {
		"P06_Stop",
		"P6 Stop.",
		func(s store.Store) store.Store { return &forgetsDeadlines{s} },
	},
	"takes a deadline for a stop": {
		"P06_Stop",
		"P6 Stop.",
		func(s store.Store) store.Store { return &hidesDeadlines{s} },
	},
	"forgets when an idle run ends": {
		"P03_CompletionOnce",
		"P3 Completion once.",
		func(s store.Store) store.Store { return &forgetsIdle{s} },
	},
	"hides that a lease was lost": {"P05_Fencing", "P5 Fencing.", func(s store.Store) store.Store { return &hidesLoss{s} }},
	"lets dead workers enqueue": {
		"P05_Fencing",
		"P5 Fencing.",
		func(s store.Store) store.Store { return &stagesForTheDead{s} },
	},
	"forgets who stopped a run": {
		"Contract_Audit",
		"Contract, Audit:",
		func(s store.Store) store.Store { return &stopsForNobody{s} },
	},
	"pauses anew what is paused": {
		"Contract_Audit",
		"Contract, Audit:",
		func(s store.Store) store.Store { return &pausesTwice{s} },
	},
	"only pauses when it is told to stop": {"P06_Stop", "P6 Stop.", func(s store.Store) store.Store { return &pausesOnly{s} }},
	"starts a name again for each token": {
		"P07_OneActiveRun",
		"P7 One active run per name.",
		func(s store.Store) store.Store { return &ignoresTokens{Store: s} },
	},
	"fires a due time for each caller": {
		"P08_Schedule",
		"P8 Schedule.",
		func(s store.Store) store.Store { return &firesForEach{Store: s} },
	},
	"fires when it is asked to": {"P08_Schedule", "P8 Schedule.", func(s store.Store) store.Store { return &firesEarly{s} }},
	"forgets who waits for a run": {
		"P08_Schedule",
		"P8 Schedule.",
		func(s store.Store) store.Store { return &waitsForNobody{s} },
	},
	"tells of what cannot be fired": {
		"P08_Schedule",
		"P8 Schedule.",
		func(s store.Store) store.Store { return &neverPostpones{s} },
	},
	"gives one place too many": {"P09_Semaphore", "P9 Semaphore.", func(s store.Store) store.Store { return &crowds{s} }},
	"tries one slot and gives up": {
		"P09_Semaphore",
		"P9 Semaphore.",
		func(s store.Store) store.Store { return &triesOneSlot{s} },
	},
	"lets a late token release": {
		"P09_Semaphore",
		"P9 Semaphore.",
		func(s store.Store) store.Store { return &releasesLate{s} },
	},
	"starts fencing numbers again": {
		"P09_Semaphore",
		"P9 Semaphore.",
		func(s store.Store) store.Store { return &numbersBySlot{s} },
	},
	"lets newcomers overtake": {
		"P09_Semaphore",
		"P9 Semaphore.",
		func(s store.Store) store.Store { return &forgetsWaiters{s} },
	},
	"never ends a lease": {
		"P09_Semaphore",
		"P9 Semaphore.",
		func(s store.Store) store.Store { return &leasesForever{s} },
	},
	"forgets what it answered": {"P05_Fencing", "P5 Fencing.", func(s store.Store) store.Store { return &unaware{s} }},
	"goes on from a call that is lost": {
		"Contract_Streams",
		"Contract, Producers and Sessions",
		func(s store.Store) store.Store { return &unguards{s} },
	},
	"applies a repeated enqueue": {
		"P10_SafeRetry",
		"P10 Safe retry.",
		func(s store.Store) store.Store { return &countsRepeats{Store: s} },
	},
	"gives other tasks to a repeat": {
		"P10_SafeRetry",
		"P10 Safe retry.",
		func(s store.Store) store.Store { return &fetchesAnew{Store: s} },
	},
	"ignores weights":          {"P11_Fair", "P11 Fair.", func(s store.Store) store.Store { return &ignoresWeights{s} }},
	"keeps summaries for ever": {"P12_Bounded", "P12 Bounded.", func(s store.Store) store.Store { return &keepsForever{s} }},
	"calls everything unknown a success": {
		"P13_BadInput",
		"P13 Bad input",
		func(s store.Store) store.Store { return &swallowsErrors{s} },
	},
	"takes a producer's clock for its own": {
		"P14_OneClock",
		"P14 One clock.",
		func(s store.Store) store.Store { return &trustsProducers{s} },
	},
	"charges nobody for a crash": {"P15_Poison", "P15 Poison.", func(s store.Store) store.Store { return &forgivesCrashes{s} }},
	"counts attempts instead of successes": {
		"Contract_Counters",
		"Contract, Sessions: counters of a task are added",
		func(s store.Store) store.Store { return &countsAttempts{Store: s} },
	},
	"keeps results for ever": {
		"Contract_Results",
		"Contract, Runs: the result of a task",
		func(s store.Store) store.Store { return &changesResults{s, keepsResultsForever} },
	},
	"keeps any number of results": {
		"Contract_Results",
		"Contract, Runs: the result of a task",
		func(s store.Store) store.Store { return &changesResults{s, keepsAllResults} },
	},
	"drops results of a run that stops": {
		"Contract_Results",
		"Contract, Runs: the result of a task",
		func(s store.Store) store.Store { return &changesResults{s, dropsLateResults} },
	},
	"keeps results of attempts that failed": {
		"Contract_Results",
		"Contract, Runs: the result of a task",
		func(s store.Store) store.Store { return &notesResults{Store: s, only: verdicts.Retry} },
	},
	"keeps results of the dead": {
		"Contract_Results",
		"Contract, Runs: the result of a task",
		func(s store.Store) store.Store { return &notesResults{Store: s, only: verdicts.Success} },
	},
	"repeats a result on the next page": {
		"Contract_Results",
		"Contract, Runs: the result of a task",
		func(s store.Store) store.Store { return &repeatsPages{s} },
	},
	"overwrites what it does not know": {
		"Contract_Configurations",
		"Contract, Configurations",
		func(s store.Store) store.Store { return &writesBlindly{s} },
	},
	"takes a repeated change for another": {
		"Contract_Configurations",
		"Contract, Configurations",
		func(s store.Store) store.Store { return &changesAnew{Store: s} },
	},
	"keeps configured runs to itself": {
		"Contract_Configurations",
		"Contract, Configurations",
		func(s store.Store) store.Store { return &tellsNoVersion{s} },
	},
	"remembers every change": {
		"Contract_Configurations",
		"Contract, Configurations",
		func(s store.Store) store.Store { return &neverForgets{s} },
	},
	"answers with all at once": {
		"Contract_Pages",
		"Contract, PageBytes",
		func(s store.Store) store.Store { return &answersAtOnce{s} },
	},
	"compares revisions as floats": {
		"Contract_Numbers",
		"Contract, MaxNumber",
		func(s store.Store) store.Store { return &comparesFloats{s} },
	},
	"shows progress of the dead": {
		"Contract_Progress",
		"Contract, Sessions: a run shows which",
		func(s store.Store) store.Store { return &showsForever{Store: s} },
	},
	"overdraws budgets": {
		"Contract_Bounds",
		"Contract, Sessions: a fetch leases no more",
		func(s store.Store) store.Store { return &overdraws{s} },
	},
	"forgets limits of runs": {
		"Contract_Bounds",
		"Contract, Sessions: a fetch leases no more",
		func(s store.Store) store.Store { return &forgetsRunLimits{s} },
	},
	"never reconsiders": {
		"Contract_Bounds",
		"Contract, Sessions: a fetch leases no more",
		func(s store.Store) store.Store { return &neverReconsiders{s} },
	},
	"hides that more waits": {
		"Contract_Bounds",
		"Contract, Sessions: a fetch leases no more",
		func(s store.Store) store.Store { return &hidesShortness{s} },
	},
	"lends one permit too many": {
		"Contract_Limits",
		"Contract, Limits: no more than a limit is drawn",
		func(s store.Store) store.Store { return &lendsTooMuch{s} },
	},
	"takes spent tokens for unused": {
		"Contract_Limits",
		"Contract, Limits: no more than a limit is drawn",
		func(s store.Store) store.Store { return &refillsAtOnce{s} },
	},
	"forfeits whatever is silent": {
		"Contract_Limits",
		"Contract, Limits: no more than a limit is drawn",
		func(s store.Store) store.Store { return &takesFromTheSlow{s} },
	},
	"asks nobody to share permits": {
		"Contract_Limits",
		"Contract, Limits: no more than a limit is drawn",
		func(s store.Store) store.Store { return &keepsThemWanting{s} },
	},
	"draws again when it is asked again": {
		"Contract_Limits",
		"Contract, Limits: no more than a limit is drawn",
		func(s store.Store) store.Store { return &drawsAnew{Store: s} },
	},
	"forgets what it answered a retry": {
		"Contract_Redo",
		"Contract, Producers: failures of an active run",
		func(s store.Store) store.Store { return &answersRetriesAnew{Store: s} },
	},
	"discards what is to be retried": {
		"Contract_Redo",
		"Contract, Producers: failures of an active run",
		func(s store.Store) store.Store { return &discardsRetries{s} },
	},
	"retries what was not selected": {
		"Contract_Redo",
		"Contract, Producers: failures of an active run",
		func(s store.Store) store.Store { return &retriesAll{s} },
	},
	"ends a run that holds for its failures": {
		"Contract_Hold",
		"Contract, Producers: a run that holds",
		func(s store.Store) store.Store { return &endsDespiteFailures{s} },
	},
	"forgets to accept": {
		"Contract_Hold",
		"Contract, Producers: a run that holds",
		func(s store.Store) store.Store { return &forgetsToAccept{s} },
	},
	"accepts hooks that are to be repeated": {
		"Contract_Hold",
		"Contract, Producers: a run that holds",
		func(s store.Store) store.Store { return &acceptsHooks{s} },
	},
	"lists all runs as held": {
		"Contract_Hold",
		"Contract, Producers: a run that holds",
		func(s store.Store) store.Store { return &listsAllAsHeld{s} },
	},
	"keeps the error of what was retried": {
		"Contract_Redo",
		"Contract, Producers: failures of an active run",
		func(s store.Store) store.Store { return &keepsTheError{s} },
	},
	"reads failures in one order only": {
		"Contract_Failures",
		"Contract, Runs: the failures that runs keep",
		func(s store.Store) store.Store { return &readsTheOldest{s} },
	},
	"lists failing runs by their numbers": {
		"Contract_Failures",
		"Contract, Runs: the failures that runs keep",
		func(s store.Store) store.Store { return &listsByNumber{s} },
	},
	"keeps nothing of lost sessions": {
		"Contract_Workers",
		"Contract, Sessions: the tasks that sessi",
		func(s store.Store) store.Store { return &keepsNoLost{Store: s} },
	},
	"takes closed sessions for lost ones": {
		"Contract_Workers",
		"Contract, Sessions: the tasks that sessi",
		func(s store.Store) store.Store { return &keepsClosed{Store: s} },
	},
	"guesses when a lost session was heard from": {
		"Contract_Workers",
		"Contract, Sessions: the tasks that sessi",
		func(s store.Store) store.Store { return &guessesWhenHeard{Store: s} },
	},
	"serves quiet sessions": {
		"Contract_Quiet",
		"Contract, Sessions: a quiet session",
		func(s store.Store) store.Store { return &servesQuiet{Store: s} },
	},
	"says that nothing is left": {
		"Contract_Signals",
		"Contract, Signals: a subscriber gets",
		func(s store.Store) store.Store { return &saysDrained{s} },
	},
	"tells no status": {
		"Contract_Quiet",
		"Contract, Sessions: a quiet session",
		func(s store.Store) store.Store { return &tellsNoStatus{s} },
	},
	"undoes a status with a repeat": {
		"Contract_Quiet",
		"Contract, Sessions: a quiet session",
		func(s store.Store) store.Store { return &wakesQuiet{s} },
	},
	"serves everything in read-only mode": {
		"Contract_Pauses",
		"Contract, Pauses: once a scope",
		func(s store.Store) store.Store { return &ignoresReadOnly{s} },
	},
	"serves what is paused": {
		"Contract_Pauses",
		"Contract, Pauses: once a scope",
		func(s store.Store) store.Store { return &ignoresPauses{s} },
	},
	"pauses kinds with their whole set": {
		"Contract_Pauses",
		"Contract, Pauses: once a scope",
		func(s store.Store) store.Store { return &pausesTooMuch{s} },
	},
	"forgets since when a scope is paused": {
		"Contract_Pauses",
		"Contract, Pauses: once a scope",
		func(s store.Store) store.Store { return &pausesAnew{s} },
	},
	"tells no version of what is paused": {
		"Contract_Pauses",
		"Contract, Pauses: once a scope",
		func(s store.Store) store.Store { return &tellsNoPauses{s} },
	},
	"counts in two points what was done": {
		"Contract_History", "Contract, History: the points", func(s store.Store) store.Store { return &countsTwice{s} },
	},
	"has no history": {
		"Contract_History", "Contract, History: the points", func(s store.Store) store.Store { return &notesNothing{s} },
	},
	"counts the time of an attempt twice": {
		"Contract_History", "Contract, History: the points", func(s store.Store) store.Store {
			return &changesTimes{s, func(t store.Times) store.Times { t.Run = t.Run.Plus(t.Run); return t }}
		},
	},
	"takes how long tasks waited for how long they ran": {
		"Contract_History", "Contract, History: the points", func(s store.Store) store.Store {
			return &changesTimes{s, func(t store.Times) store.Times { return store.Times{Wait: t.Run, Run: t.Wait} }}
		},
	},
	"keeps no histograms": {
		"Contract_History", "Contract, History: the points", func(s store.Store) store.Store {
			return &changesTimes{s, func(store.Times) store.Times { return store.Times{} }}
		},
	},
	"reads points of other minutes": {
		"Contract_History", "Contract, History: the points", func(s store.Store) store.Store { return &readsAll{s} },
	},
	"keeps nothing in maps": {
		"Contract_Values",
		"Contract, Values: runs, jobs and the namespace",
		func(s store.Store) store.Store { return &forgetsMaps{s} },
	},
	"counts what is held as waiting": {
		"Contract_Ledger",
		"Contract, Ledger: each task is counted",
		func(s store.Store) store.Store { return &mergesHeld{s} },
	},
	"forgets what became of tasks": {
		"Contract_Ledger",
		"Contract, Ledger: each task is counted",
		func(s store.Store) store.Store { return &forgetsFigures{s} },
	},
	"stops what it repairs": {
		"Contract_Repair",
		"Contract, Repairer: a repair does not change healthy data",
		func(s store.Store) store.Store { return &stopsToRepair{s} },
	},
	"writes for whoever settles": {
		"Contract_Writes",
		"Contract, Sessions: writes of a task",
		func(s store.Store) store.Store { return &writesAnyhow{Store: s} },
	},
	"applies a repeated write": {
		"Contract_Values",
		"Contract, Values: runs, jobs and the namespace",
		func(s store.Store) store.Store { return &addsAgain{Store: s} },
	},
	"keeps values of runs for ever": {
		"Contract_Values",
		"Contract, Values: runs, jobs and the namespace",
		func(s store.Store) store.Store { return &keepsValues{Store: s} },
	},
	"keeps counters of a run beside its record": {
		"Contract_Values",
		"Contract, Values: runs, jobs and the namespace",
		func(s store.Store) store.Store { return &keepsValues{Store: s, counters: true} },
	},
	"hides that a type was refused": {
		"Contract_Values",
		"Contract, Values: runs, jobs and the namespace",
		func(s store.Store) store.Store { return &hidesTypes{s} },
	},
	"starts a declared name anew": {
		"P07_OneActiveRun",
		"P7 One active run per name.",
		func(s store.Store) store.Store { return &startsDeclared{s} },
	},
	"takes retries for failures": {
		"Contract_Runs",
		"Contract, Runs",
		func(s store.Store) store.Store { return &takesRetriesForFailures{s} },
	},
	"lists runs by their numbers": {
		"Contract_Recent",
		"Contract, Runs and Jobs",
		func(s store.Store) store.Store { return &listsRunsByNumber{s} },
	},
	"lists runs as they began": {
		"Contract_Recent",
		"Contract, Runs and Jobs",
		func(s store.Store) store.Store {
			return &listsAsItBegan{Store: s, began: make(map[store.RunID]statuses.Status)}
		},
	},
	"lists no paused run": {
		"Contract_Recent",
		"Contract, Runs and Jobs",
		func(s store.Store) store.Store { return &listsNoPaused{s} },
	},
	"repeats the last of a page": {
		"Contract_Recent",
		"Contract, Runs and Jobs",
		func(s store.Store) store.Store { return &repeatsTheLast{Store: s} },
	},
	"forgets whom it was asked to cancel": {
		"Contract_TaskChanges",
		"Contract, TaskChanges",
		func(s store.Store) store.Store { return &forgetsRequests{s} },
	},
	"forgets whom it has cancelled": {
		"Contract_TaskChanges",
		"Contract, TaskChanges",
		func(s store.Store) store.Store { return &forgetsCancelled{Store: s} },
	},
	"reschedules nothing": {
		"Contract_TaskChanges",
		"Contract, TaskChanges",
		func(s store.Store) store.Store { return &reschedulesNothing{s} },
	},
	"finds a task that did not claim its ID": {
		"Contract_Listing",
		"Contract, Runs",
		func(s store.Store) store.Store { return &asksForNoClaim{s} },
	},
	"changes a task that did not claim its ID": {
		"Contract_Listing",
		"Contract, Runs",
		func(s store.Store) store.Store { return &changesUnclaimed{s} },
	},
	"tells no worker what is cancelled": {
		"Contract_TaskChanges",
		"Contract, TaskChanges",
		func(s store.Store) store.Store { return &tellsNoWorker{s} },
	},
	"loses its place in a listing": {
		"Contract_Listing",
		"Contract, Runs: the tasks of a run",
		func(s store.Store) store.Store { return &losesItsPlace{s} },
	},
	"takes held tasks for waiting": {
		"Contract_Listing",
		"Contract, Runs: the tasks of a run",
		func(s store.Store) store.Store { return &takesHeldForWaiting{s} },
	},
	"lists no recovered task": {
		"Contract_Listing",
		"Contract, Runs: the tasks of a run",
		func(s store.Store) store.Store { return &listsNoneRecovered{s} },
	},
	"forgets the attempts of a task": {
		"Contract_Listing",
		"Contract, Runs: the tasks of a run",
		func(s store.Store) store.Store { return &forgetsAttempts{s} },
	},
	"lists no semaphore that only waits": {
		"Contract_Inventory",
		"Contract, Semaphores, Limits and Values",
		func(s store.Store) store.Store { return &listsHeldOnly{s} },
	},
	"lists semaphores that are gone": {
		"Contract_Inventory",
		"Contract, Semaphores, Limits and Values",
		func(s store.Store) store.Store { return &listsTheGone{Store: s} },
	},
	"skips a semaphore between two pages": {
		"Contract_Inventory",
		"Contract, Semaphores, Limits and Values",
		func(s store.Store) store.Store { return &skipsAKey{s} },
	},
	"hides who waits for a limit": {
		"Contract_Inventory",
		"Contract, Semaphores, Limits and Values",
		func(s store.Store) store.Store { return &hidesWhoWaits{s} },
	},
	"takes silent holders for alive": {
		"Contract_Inventory",
		"Contract, Semaphores, Limits and Values",
		func(s store.Store) store.Store { return &hidesSilence{s} },
	},
	"lists no counters of runs": {
		"Contract_Inventory",
		"Contract, Semaphores, Limits and Values",
		func(s store.Store) store.Store { return &listsNoCounters{s} },
	},
	"never tells when values expire": {
		"Contract_Inventory",
		"Contract, Semaphores, Limits and Values",
		func(s store.Store) store.Store { return &hidesExpiry{s} },
	},
	"releases one lease too many":   {"P09_Semaphore", "P9 Semaphore.", func(s store.Store) store.Store { return &releasesLater{s} }},
	"keeps the first failures only": {"P12_Bounded", "P12 Bounded.", func(s store.Store) store.Store { return &keepsTheFirst{s} }},
	"claims to tell what is configured": {
		"Contract_Signals",
		"Contract, Signals",
		func(s store.Store) store.Store { return &claimsToTell{s} },
	},
	"says nothing of subscribers that end badly": {
		"Contract_Signals",
		"Contract, Signals",
		func(s store.Store) store.Store { return &forgivesSubscribers{s} },
	},
	"opens sessions as if they were new": {
		"Contract_Progress",
		"Contract, Sessions: a run shows which",
		func(s store.Store) store.Store { return &opensAnew{s} },
	},
	"takes every task for a recovered task": {"P15_Poison", "P15 Poison.", func(s store.Store) store.Store { return &recoveredAll{s} }},
}

// sabotaged is the harness of the store that the environment names; without a
// name, of a sound one.
func sabotaged() storetest.Harness {
	h := memory()
	h.Waiting = 1000
	if breaks := sabotages[os.Getenv(sabotageEnv)].breaks; breaks != nil {
		h.New = func(testing.TB) store.Store { return breaks(memstore.New(nil)) }
	}
	return h
}

func TestSabotaged(t *testing.T) { storetest.Run(t, sabotaged()) }

// TestSabotagedModel plays until a child finds its sabotage. Without one, a few sequences show that
// it finds nothing.
func TestSabotagedModel(t *testing.T) {
	sequences := 2000
	if os.Getenv(sabotageEnv) == "" {
		sequences = 20
	}
	storetest.RunModel(t, sabotaged(), storetest.ModelOptions{Sequences: sequences})
}

func TestSuiteCatchesEverySabotage(t *testing.T) {
	for name, sabotage := range sabotages {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			out, err := child(t, name, "^TestSabotaged$/^"+sabotage.subtest+"$")
			require.Error(t, err, "the suite must fail")
			require.Regexp(t, `(?m)^\s+\w+\.go:\d+: `+sabotage.sentence, out)
		})
	}
}

func TestModelCatchesSabotage(t *testing.T) {
	// It plays one call after the other, on one partition. It knows no shares, progress, bytes,
	// attempts, lost sessions, which points of the history lack and who does what. It seeks only IDs as
	// their tasks have them.
	blind := []string{
		"answers with all at once", "calls everything unknown a success", "claims to tell what is configured",
		"compares revisions as floats", "fires a due time for each caller", "hides that more waits", "ignores weights",
		"forgets the attempts of a task", "forgets who stopped a run", "opens sessions as if they were new", "remembers every change",
		"says nothing of subscribers that end badly", "lists semaphores that are gone", "skips a semaphore between two pages",
		"tells no worker what is cancelled", "has no history", "keeps no histograms", "reads points of other minutes",
		"shows progress of the dead", "takes a producer's clock for its own",
		"keeps nothing of lost sessions", "takes closed sessions for lost ones", "guesses when a lost session was heard from",
		"tells no status", "undoes a status with a repeat",
		"finds a task that did not claim its ID", "changes a task that did not claim its ID",
	}
	for name := range sabotages {
		if slices.Contains(blind, name) {
			continue
		}
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			out, err := child(t, name, "^TestSabotagedModel$")
			require.Error(t, err, "the model must differ")
			require.Contains(t, out, "The store does what the model of its contract says")
		})
	}
}

// child runs tests of this binary on the sabotaged store, in a process of their own.
func child(t *testing.T, sabotage, tests string) (string, error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, os.Args[0], "-test.run="+tests, "-rapid.nofailfile", "-rapid.shrinktime=0s", "-rapid.seed=1")
	cmd.Env = append(os.Environ(), sabotageEnv+"="+sabotage)
	out, err := cmd.CombinedOutput()
	return string(out), err
}
