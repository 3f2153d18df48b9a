-- Why runs wait.

CREATE TABLE dispatch_status (
  work_pool TEXT NOT NULL,
  workers INTEGER,
  slots INTEGER,
  paused BOOLEAN DEFAULT false NOT NULL,
  unreachable_time TIMESTAMP WITH TIME ZONE,
  CONSTRAINT pk_dispatch_status PRIMARY KEY (work_pool)
);
