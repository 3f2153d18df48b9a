-- Notices of changed credentials, and an index for marks. Statements are separated by empty lines.

CREATE FUNCTION credentials_changed() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  PERFORM pg_notify('phantom', 'credentials');
  RETURN NULL;
END $$;

CREATE TRIGGER credentials_changed AFTER UPDATE OR DELETE OR TRUNCATE ON users
  FOR EACH STATEMENT EXECUTE FUNCTION credentials_changed();

CREATE TRIGGER credentials_changed AFTER UPDATE OR DELETE OR TRUNCATE ON tokens
  FOR EACH STATEMENT EXECUTE FUNCTION credentials_changed();

CREATE INDEX ix_playbook_runs_mark ON playbook_runs (container_id, playbook_id, last_artifact);

DROP INDEX ix_playbook_runs_container_id_playbook_id_id;
