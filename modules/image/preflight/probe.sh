# Proves in a container of the image what its files promise. Runs as PID 1, so when it ends everything in the container
# does. Arguments: the server's folder of programs, the libraries to preload, the locale, and the seconds it may take.
# Each answer is a line "@@ CHECK STATUS WHAT" and, behind "| ", what the command said.
bin=$1 preload=$2 locale=$3 limit=$4
exec 3<&0 </dev/null

tell() { # CHECK WHAT COMMAND...
  check=$1 what=$2
  shift 2
  said=$("$@" 2>&1)
  status=$?
  echo "@@ $check $status $what"
  printf '%s\n' "$said" | while IFS= read -r line; do echo "| $line"; done
  return $status
}

sql() { # DATABASE STATEMENT
  "$bin/psql" -X -q -A -t -v ON_ERROR_STOP=1 -h "$dir" -U postgres -d "$1" -c "$2"
}

start() { # ends with the server's own words when it does not start
  "$bin/pg_ctl" -D "$dir/data" -l "$dir/log" -w -t 30 start >"$dir/ctl" 2>&1 && return
  while IFS= read -r line; do echo "$line"; done <"$dir/log"
  return 1
}

audited() {
  sql postgres "CREATE TABLE audited (n int)" && sql postgres "ALTER SYSTEM SET pgaudit.log = 'write'" &&
    sql postgres "SELECT pg_reload_conf()" >/dev/null || return
  n=0
  while [ $n -lt 20 ]; do # a reload takes a moment
    n=$((n + 1))
    sql postgres "INSERT INTO audited VALUES ($n)" || return
    while IFS= read -r line; do
      case $line in *"AUDIT: SESSION,"*",WRITE,INSERT,"*"INSERT INTO audited"*) echo "${line#*AUDIT: }" && return ;; esac
    done <"$dir/log"
    sleep 0.1
  done
  echo "pgaudit is loaded, and says nothing of an INSERT"
  return 1
}

server() {
  tell B6.17 "a server that preloads $preload" start || return
  tell B6.2 "SELECT version()" sql postgres "SELECT version()"
  for name in pgaudit pg_stat_statements; do
    case ,$preload, in *",$name.so,"*) tell B6.6 "CREATE EXTENSION $name" sql postgres "CREATE EXTENSION $name" ;; esac
  done
  case ,$preload, in *,pgaudit.so,*) tell B6.7 "an audited INSERT" audited ;; esac
  tell B6.10 "LOAD 'libpqwalreceiver'" sql postgres "LOAD 'libpqwalreceiver'"
  "$bin/pg_ctl" -D "$dir/data" -m immediate stop >/dev/null 2>&1
}

prove() {
  dir=/antdbctl-check
  cd "$dir" || return
  tell B6.12 "postgres --version" "$bin/postgres" --version
  if tell B6.4 "initdb --locale=$locale" "$bin/initdb" -D "$dir/data" -E UTF8 --locale="$locale" -U postgres -A trust; then
    echo "@@ B6.5 0 initdb --locale=$locale"
    tell B6.19 "pg_controldata" "$bin/pg_controldata" "$dir/data"
    {
      echo "shared_preload_libraries = '$preload'"
      echo "unix_socket_directories = '$dir'"
      echo "listen_addresses = ''"
      echo "fsync = off"
      echo "logging_collector = off"
    } >>"$dir/data/postgresql.conf"
    server
  fi
  tell B6.9 "import psycopg2" python3 -c 'import psycopg2'
  tell B6.9 "pgbackrest version" pgbackrest version
  tell B6.14 "patroni --version" patroni --version
}

prove &
work=$!
(sleep "$limit"; kill -9 $work) >/dev/null 2>&1 &
(while read -r _; do :; done; kill -9 $work) <&3 >/dev/null 2>&1 & # the caller is gone when its end of this is closed
wait $work
echo "@@ end $? of it"
