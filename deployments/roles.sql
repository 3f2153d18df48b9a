-- The two databases, and for each a role that owns it and is no superuser. For psql 15 and newer:
--
--   POSTGRES_PHANTOM_PASSWORD=... POSTGRES_PREFECT_PASSWORD=... psql --username postgres --file roles.sql
\getenv phantom_password POSTGRES_PHANTOM_PASSWORD
\getenv prefect_password POSTGRES_PREFECT_PASSWORD
CREATE ROLE phantom LOGIN NOSUPERUSER NOCREATEDB NOCREATEROLE PASSWORD :'phantom_password';
CREATE ROLE prefect LOGIN NOSUPERUSER NOCREATEDB NOCREATEROLE PASSWORD :'prefect_password';
CREATE DATABASE phantom OWNER phantom ENCODING 'UTF8' TEMPLATE template0;
CREATE DATABASE prefect OWNER prefect ENCODING 'UTF8' TEMPLATE template0;
-- Neither reads the other's. Prefect's migrations make the extension pg_trgm, which an owner may.
REVOKE ALL ON DATABASE phantom, prefect FROM PUBLIC;
