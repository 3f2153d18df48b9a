CREATE TABLE worker_names (
    name text PRIMARY KEY,
    holder uuid NOT NULL,
    hostname text NOT NULL,
    process_id integer NOT NULL,
    process text NOT NULL,
    connection uuid NOT NULL,
    held_until timestamptz NOT NULL,
    refused_hostname text,
    refused_time timestamptz
);
