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
