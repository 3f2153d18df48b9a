-- Runs that start again when their worker is gone. Statements are separated by empty lines.

ALTER TABLE playbooks ADD COLUMN restartable BOOLEAN DEFAULT false NOT NULL;

ALTER TABLE playbook_runs ADD COLUMN restarting BOOLEAN DEFAULT false NOT NULL;
