package syncjob
