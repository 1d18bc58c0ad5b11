package sql

// hush keeps what follows in the transaction out of the server's eyes and
// notes: a verifier is no password, but whoever has one can guess at it, and an
// md5 one even logs in. Only a superuser may; for others it does nothing. What
// pgaudit notes stays: it leaves passwords out by itself.
const hush = `select set_config(q.name, q.value, true)
from (values ('log_statement', 'none'), ('log_min_error_statement', 'panic'), ('log_min_duration_statement', '-1'),
  ('log_duration', 'off'), ('track_activities', 'off'), ('pg_stat_statements.track_utility', 'off'), ('debug_print_parse', 'off')) as q(name, value)
where exists (select from pg_catalog.pg_roles where rolname = current_user and rolsuper)`
