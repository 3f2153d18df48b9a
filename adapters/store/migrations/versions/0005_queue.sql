-- Idempotency keys, turns in the queue, and what is known of the work pools. Statements are separated by empty lines.

CREATE TABLE idempotency_keys (
  user_id BIGINT NOT NULL,
  key TEXT NOT NULL,
  request_hash BYTEA NOT NULL,
  playbook_run_id BIGINT,
  create_time TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
  CONSTRAINT pk_idempotency_keys PRIMARY KEY (user_id, key),
  CONSTRAINT fk_idempotency_keys_user_id FOREIGN KEY(user_id) REFERENCES users (id) ON DELETE CASCADE
);

CREATE INDEX ix_idempotency_keys_create_time ON idempotency_keys (create_time);

ALTER TABLE playbook_runs ADD COLUMN queue_time TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL;

DROP INDEX ix_playbook_runs_not_started;

CREATE INDEX ix_playbook_runs_queue ON playbook_runs (queue_time, id) WHERE status = 'running' AND claim_time IS NULL AND flow_run_id IS NULL;

CREATE INDEX ix_playbook_runs_standing ON playbook_runs (dispatch_time) WHERE status = 'running' AND claim_time IS NULL AND dispatch_time IS NOT NULL;
