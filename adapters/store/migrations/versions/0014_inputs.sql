-- JSON schemas of what a playbook declares (null: nothing), the vendor's lists of the same, and the
-- longest time that a run of it may take.

ALTER TABLE playbooks
  ADD COLUMN timeout_seconds double precision,
  ADD COLUMN input_schema jsonb,
  ADD COLUMN output_schema jsonb,
  ADD COLUMN input_spec jsonb NOT NULL DEFAULT '[]'::jsonb,
  ADD COLUMN output_spec jsonb NOT NULL DEFAULT '[]'::jsonb;
