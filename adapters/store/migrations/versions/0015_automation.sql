-- Runs that start by themselves, and what runs write. Statements are separated by empty lines.

CREATE TABLE case_changes (
  playbook_run_id BIGINT NOT NULL,
  key UUID NOT NULL,
  object_id BIGINT NOT NULL,
  create_time TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
  CONSTRAINT pk_case_changes PRIMARY KEY (playbook_run_id, key),
  CONSTRAINT fk_case_changes_playbook_run_id FOREIGN KEY(playbook_run_id) REFERENCES playbook_runs (id) ON DELETE CASCADE ON UPDATE CASCADE
);

CREATE TABLE scheduled_starts (
  flow_run_id UUID NOT NULL,
  playbook_run_ids BIGINT[] DEFAULT '{}'::bigint[] NOT NULL,
  create_time TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
  CONSTRAINT pk_scheduled_starts PRIMARY KEY (flow_run_id)
);

CREATE INDEX ix_scheduled_starts_create_time ON scheduled_starts (create_time);

-- The runs come last: until all of this is done, nobody else can write them.
ALTER TABLE playbook_runs ADD COLUMN automation_chain BIGINT[];
