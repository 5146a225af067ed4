// Ingest copies changes from one directory tree to another, with any number of workers.
//
// It is the largest of the examples. Package
// [github.com/rollcall-go/rollcall/examples/ingest/mirror] has the tasks, and
// [github.com/rollcall-go/rollcall/examples/ingest/command] the commands. The module in cloud is
// the same program with more sources.
//
// With the memory store, everything happens in one process:
//
//	go run ./examples/ingest start -src "$(go env GOROOT)/src"
//
// With Redis, any number of workers on any number of machines share the work. All machines need
// both trees under the same paths:
//
//	ingest worker -store redis://localhost:6379 &
//	ingest start  -store redis://localhost:6379 -src DIR -dst DIR -wait
//
// With -interval 10m, the trees are synced every ten minutes, even if workers come and go.
//
// # What the options of a Celery ingest orchestrator are here
//
// Who knows an orchestrator that registers and copies files with Celery finds its options again:
//
//	job_name                     -name; made up and printed if not given; a running one is refused
//	interval                     -interval
//	files_per_task               -files-per-task
//	synchronous, progress        -wait, and the progress of start and watch
//	restart, path, file queue    -restart-queue, -path-queue, -file-queue
//	exclude_file_type            -exclude-type
//	exclude_…_name               -exclude-name of files, -exclude-dir of directories
//	profile                      -profile: JSON lines about the tasks, with the host
//	log_filename, log_level      -log-file, -log-level
//	log_interval, log_when       -log-size: files are rotated by size, and four are kept
//	ignore_cache                 -ignore-cache
//	initial_ingest               -initial
//	append_json                  none: arguments and headers are typed
//	s3_region, s3_endpoint …     in the URL of the source, in the module in cloud
//	s3_keypair, s3_proxy         of the environment, as the client finds them
//	idle_disconnect_seconds      none: nothing stays connected but the store
//	event_handler                -event-handler FILE, in the module in cloud; in Go: mirror.Config
//
//	operation put_sync           -operation sync
//	operation put                -operation put
//	operation put_append         -operation append
//	operation no_op              -operation none
//	operation register           none: a file system has no catalogue of files that lie elsewhere
//	delete_mode                  -delete none, trash (to -trash) or delete; unregister: as register
//	target_path                  none: it is of register only. Another name in the same directory:
//	                             target_path(path) of a script
//	character_map                -character-map
//	unicode error paths          none: names travel as bytes, and need not be valid
//	as_user, to_resource         none: files belong to the user of the worker, on one file system
//	max_retries, timeout, delay  -retries, -timeout, -delay; the command configure while a job runs;
//	                             of a task: functions of these names in a script
//	pre_ and post_ hooks         around each create, modify and delete of a file or directory:
//	                             mirror.Config.Hooks, or functions of a script: pre_file_create …
//	pre_job, post_job            functions of a script; those of mirror check and close the trees
//
//	start, stop                  the commands start and stop; ctrl-C of a start that waits
//	list, watch                  the commands list and watch; the exit status is that of the run
//	                             and new: explain, failures, redrive, configure, and -dry-run,
//	                             -strict, -json, -workers, -record; the command rollcall with
//	                             --namespace ingest
//	a lock on each path          one run at a time changes a destination; others are refused
package main

import (
	"github.com/rollcall-go/rollcall/examples/ingest/command"
	"github.com/rollcall-go/rollcall/examples/ingest/mirror"
)

func main() { command.Main(mirror.Config{}) }
