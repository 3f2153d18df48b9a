-- What Prefect holds of an asset, by its name there: blocks with secrets, and a limit.
ALTER TABLE assets ADD COLUMN secrets JSONB DEFAULT '{}'::jsonb NOT NULL;

ALTER TABLE assets ADD COLUMN action_limit INTEGER;

ALTER TABLE assets ADD COLUMN limit_name TEXT;

-- What an action did stays known when its asset is deleted, and under which id and name.
ALTER TABLE app_runs DROP CONSTRAINT fk_app_runs_asset_id;

CREATE TABLE held_slots (
  playbook_run_id BIGINT NOT NULL,
  attempt INTEGER NOT NULL,
  leases UUID[] NOT NULL,
  CONSTRAINT pk_held_slots PRIMARY KEY (playbook_run_id, attempt),
  CONSTRAINT fk_held_slots_playbook_run_id FOREIGN KEY(playbook_run_id) REFERENCES playbook_runs (id) ON DELETE CASCADE ON UPDATE CASCADE
);
