ALTER TABLE playbook_runs ADD COLUMN machine TEXT;
