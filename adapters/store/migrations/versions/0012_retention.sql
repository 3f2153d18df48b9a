-- What keeping needs: marks of removed runs, a way to shorten the audit that says so itself, and the
-- ids and traces of requests.

CREATE TABLE scope_marks (
  container_id BIGINT NOT NULL,
  playbook_id BIGINT NOT NULL,
  last_artifact BIGINT NOT NULL,
  CONSTRAINT pk_scope_marks PRIMARY KEY (container_id, playbook_id),
  CONSTRAINT fk_scope_marks_container_id FOREIGN KEY(container_id) REFERENCES containers (id) ON DELETE CASCADE ON UPDATE CASCADE,
  CONSTRAINT fk_scope_marks_playbook_id FOREIGN KEY(playbook_id) REFERENCES playbooks (id) ON DELETE CASCADE ON UPDATE CASCADE
);

CREATE OR REPLACE FUNCTION audit_is_append_only() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF TG_OP = 'DELETE' AND current_setting('prefect_phantom.removes_audit', true) = 'retention' THEN
    RETURN NULL;
  END IF;
  RAISE EXCEPTION 'the audit can only be added to, not %', lower(TG_OP);
END $$;

-- Whoever removes entries cannot help leaving one that says so, nor leave a gap among the others.
CREATE FUNCTION audit_notes_removal() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
  number BIGINT;
  newest BIGINT;
  until TIMESTAMP WITH TIME ZONE;
BEGIN
  SELECT count(*), max(id), max(time) INTO number, newest, until FROM removed;
  IF number = 0 THEN
    RETURN NULL;
  END IF;
  IF EXISTS (SELECT FROM audit WHERE id < newest) THEN
    RAISE EXCEPTION 'only the oldest entries of the audit can be removed';
  END IF;
  INSERT INTO audit (method, path, status, message) VALUES (
    'DELETE', '/rest/audit', 200,
    format('Retention removed %s entries, up to %s', number, to_char(until AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"'))
  );
  RETURN NULL;
END $$;

CREATE TRIGGER audit_notes_removal AFTER DELETE ON audit REFERENCING OLD TABLE AS removed
  FOR EACH STATEMENT EXECUTE FUNCTION audit_notes_removal();

-- The runs come last: until all of this is done, nobody else can write them.
ALTER TABLE playbook_runs ADD COLUMN request_id TEXT, ADD COLUMN traceparent TEXT;
