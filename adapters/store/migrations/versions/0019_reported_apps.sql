-- What the apps at a worker declare secret, by the names of the apps; null until it has said so.
ALTER TABLE playbook_reports ADD COLUMN app_secrets JSONB;
