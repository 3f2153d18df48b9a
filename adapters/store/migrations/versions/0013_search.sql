-- Words that are searched for. Statements are separated by empty lines.

CREATE FUNCTION search_values(document jsonb) RETURNS text
LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE AS $$
  -- The values without their keys; what JSON writes for a line end must not stick to the next word.
  SELECT replace(replace(replace(replace(
    jsonb_path_query_array(
      document, 'strict $.** ? (@.type() != "object" && @.type() != "array")'
    )::text, '\\', ' '), '\n', ' '), '\r', ' '), '\t', ' ')
$$;

CREATE FUNCTION search_words(parts text[]) RETURNS tsvector
LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE COST 10000 AS $$
DECLARE
  -- So few characters are at most 16,384 words, so each has a place of its own; and far less than
  -- the megabyte at which PostgreSQL would refuse the row.
  content CONSTANT text := left(array_to_string(parts, ' '), 32768);
BEGIN
  -- All ASCII punctuation but the dot divides words: PostgreSQL's parser would keep URLs, paths
  -- and e-mail addresses whole, take a port as part of a host, and -2021 for a number.
  RETURN to_tsvector(
    'pg_catalog.simple', translate(content, '!"#$%&''()*+,-/:;<=>?@[\]^_`{|}~', repeat(' ', 31))
  );
END $$;

CREATE INDEX ix_containers_words ON containers USING gin (search_words(ARRAY[name, search_values(tags), description, search_values(custom_fields)]));

CREATE INDEX ix_artifacts_words ON artifacts USING gin (search_words(ARRAY[name, search_values(cef), description, search_values(tags)]));

CREATE INDEX ix_notes_words ON notes USING gin (search_words(ARRAY[title, content]));

CREATE INDEX ix_container_comments_words ON container_comments USING gin (search_words(ARRAY[comment]));
