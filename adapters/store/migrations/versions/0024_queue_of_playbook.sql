-- It was part of revision 0020 for a while.
CREATE INDEX IF NOT EXISTS ix_playbook_runs_queue_of_playbook ON playbook_runs (playbook_id, queue_time, id) WHERE end_time IS NULL AND claim_time IS NULL AND flow_run_id IS NULL;
