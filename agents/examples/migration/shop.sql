-- A small shop to migrate: psql -f shop.sql as an owner of the server. The role may change this database and nothing else.
CREATE ROLE migrator LOGIN PASSWORD 'migrator';
CREATE DATABASE shop OWNER migrator;
\connect shop
SET ROLE migrator;
CREATE TABLE customers (id int PRIMARY KEY, name text NOT NULL);
CREATE TABLE orders (id int PRIMARY KEY, customer_id int, total numeric(10, 2) NOT NULL, paid boolean NOT NULL);
INSERT INTO customers SELECT n, 'customer ' || n FROM generate_series(1, 50) n;
INSERT INTO orders SELECT n, n % 50 + 1, n * 1.25, n % 4 <> 0 FROM generate_series(1, 1000) n;
ANALYZE;
