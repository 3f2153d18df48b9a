-- What a playbook says of its isolation, and what Prefect was told. Separated by empty lines.

ALTER TABLE playbooks
  ADD COLUMN isolation TEXT DEFAULT 'fork' NOT NULL,
  ADD COLUMN registered_isolation TEXT DEFAULT '' NOT NULL,
  ADD CONSTRAINT ck_playbooks_isolation CHECK (isolation IN ('fork', 'reused'));
