-- The user's name and password are read by psql itself, so they stand on no command line.
\set user `cat /pgconf/pguser/username`
\set password `cat /pgconf/pguser/password`
CREATE EXTENSION pg_stat_statements;
CREATE EXTENSION pgaudit;
CREATE USER :"user" LOGIN PASSWORD :'password';
CREATE DATABASE :"database";
GRANT ALL PRIVILEGES ON DATABASE :"database" TO :"user";
\connect :"database"
CREATE EXTENSION pg_stat_statements;
CREATE EXTENSION pgaudit;
CREATE SCHEMA :"user" AUTHORIZATION :"user";
