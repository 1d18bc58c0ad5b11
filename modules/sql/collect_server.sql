set statement_timeout = 5000;
select 'server ' || json_build_object('version', version(), 'recovery', pg_is_in_recovery(),
  'started', extract(epoch from now() - pg_postmaster_start_time()),
  'connections', (select count(*) from pg_stat_activity where client_port is not null),
  'max', current_setting('max_connections'),
  'longest', (select max(extract(epoch from clock_timestamp() - a.query_start)) from pg_stat_activity a left join pg_stat_replication r on r.pid = a.pid
    where a.state = 'active' and a.client_port is not null and r.pid is null and a.pid <> pg_backend_pid()),
  'idle', (select max(extract(epoch from clock_timestamp() - state_change)) from pg_stat_activity where state like 'idle in transaction%'),
  'waiting', (select count(*) from pg_stat_activity where wait_event_type = 'Lock'),
  'xid', (select max(age(datfrozenxid)) from pg_database),
  'receiving', (select count(*) > 0 from pg_stat_wal_receiver where status = 'streaming'),
  'replayed', case when not pg_is_in_recovery() then null
    when pg_last_wal_receive_lsn() = pg_last_wal_replay_lsn() and exists (select 1 from pg_stat_wal_receiver where status = 'streaming') then 0
    else extract(epoch from now() - pg_last_xact_replay_timestamp()) end);
select 'settings ' || json_object_agg(name, current_setting(name)) from pg_settings where name in (
  'archive_mode', 'archive_timeout', 'autovacuum', 'data_checksums', 'data_directory', 'dynamic_shared_memory_type', 'fsync', 'full_page_writes', 'grammar',
  'hot_standby', 'huge_pages', 'idle_in_transaction_session_timeout', 'lc_messages', 'listen_addresses', 'log_destination', 'log_directory',
  'log_filename', 'log_timezone', 'logging_collector', 'maintenance_work_mem', 'max_connections', 'max_locks_per_transaction',
  'max_parallel_workers_per_gather', 'max_prepared_transactions', 'max_replication_slots', 'max_slot_wal_keep_size', 'max_standby_streaming_delay',
  'max_wal_senders', 'max_wal_size', 'max_worker_processes', 'nls_date_format', 'password_encryption', 'port', 'recovery_min_apply_delay', 'server_encoding',
  'shared_buffers', 'shared_preload_libraries', 'ssl', 'superuser_reserved_connections', 'synchronous_commit', 'synchronous_standby_names', 'TimeZone',
  'wal_keep_segments', 'wal_keep_size', 'wal_level', 'wal_log_hints', 'wal_segment_size', 'work_mem');
select 'archiver ' || json_build_object('mode', current_setting('archive_mode'), 'command', current_setting('archive_command'),
  'archived', archived_count, 'failed', failed_count, 'last_ok', extract(epoch from now() - last_archived_time),
  'last_failed', extract(epoch from now() - last_failed_time), 'standby', pg_is_in_recovery()) from pg_stat_archiver;
select 'pending ' || json_build_object('files', count(*), 'oldest',
    max(extract(epoch from now() - (pg_stat_file('pg_wal/archive_status/' || f, true)).modification)))
  from pg_ls_dir('pg_wal/archive_status') f where f like '%.ready';
select 'replication ' || json_build_object('name', application_name, 'state', state, 'sync', sync_state,
  'lag', pg_wal_lsn_diff(case when pg_is_in_recovery() then pg_last_wal_receive_lsn() else pg_current_wal_lsn() end, replay_lsn))
  from pg_stat_replication;
select 'slot ' || json_build_object('name', slot_name, 'active', active,
  'retained', pg_wal_lsn_diff(case when pg_is_in_recovery() then pg_last_wal_receive_lsn() else pg_current_wal_lsn() end, restart_lsn))
  from pg_replication_slots;
