package dashboard

import (
	"github.com/rollcall-go/rollcall/syncjob"
	"github.com/rollcall-go/rollcall/syncjob/states"
)

// The pages of lists. Next is the parameter "after" of the next page; it is empty at the end.
type (
	jobsPage struct {
		Jobs []states.Job `json:"jobs"`
		Next string       `json:"next"`
	}
	runsPage struct {
		Runs []states.Run `json:"runs"`
		Next string       `json:"next"`
	}
	tasksPage struct {
		Tasks []states.Task `json:"tasks"`
		Next  string        `json:"next"`
	}
	failuresPage struct {
		Failures []states.Failure `json:"failures"`
		Next     string           `json:"next"`
	}
	auditPage struct {
		Entries []states.AuditEntry `json:"entries"`
		Next    string              `json:"next"`
	}
	semaphoresPage struct {
		Semaphores []states.Semaphore `json:"semaphores"`
		Next       string             `json:"next"`
	}
	pausesPage struct {
		Mode   syncjob.Mode   `json:"mode"`
		Pauses []states.Pause `json:"pauses"`
	}
)
