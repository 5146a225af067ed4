package dashboard

import "github.com/rollcall-go/rollcall/syncjob"

// The pages of lists. Next is the parameter "after" of the next page; it is empty at the end.
type (
	jobsPage struct {
		Jobs []syncjob.JobState `json:"jobs"`
		Next string             `json:"next"`
	}
	runsPage struct {
		Runs []syncjob.RunState `json:"runs"`
		Next string             `json:"next"`
	}
	tasksPage struct {
		Tasks []syncjob.TaskState `json:"tasks"`
		Next  string              `json:"next"`
	}
	failuresPage struct {
		Failures []syncjob.Failure `json:"failures"`
		Next     string            `json:"next"`
	}
	auditPage struct {
		Entries []syncjob.AuditEntry `json:"entries"`
		Next    string               `json:"next"`
	}
	semaphoresPage struct {
		Semaphores []syncjob.SemaphoreState `json:"semaphores"`
		Next       string                   `json:"next"`
	}
	pausesPage struct {
		Mode   syncjob.Mode         `json:"mode"`
		Pauses []syncjob.PauseState `json:"pauses"`
	}
)
