-- What workers say of themselves.

CREATE TABLE workers (
  name TEXT NOT NULL,
  work_pool TEXT NOT NULL,
  type TEXT NOT NULL,
  hostname TEXT NOT NULL,
  version TEXT NOT NULL,
  slots INTEGER NOT NULL,
  taken INTEGER NOT NULL,
  start_time TIMESTAMP WITH TIME ZONE NOT NULL,
  seen_time TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
  CONSTRAINT pk_workers PRIMARY KEY (name)
);
