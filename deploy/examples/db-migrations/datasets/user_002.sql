-- An inventory of 20000 instances, at migration 0001.
create database inventory;
use inventory;
create table alembic_version (version_num varchar(32) not null primary key);
insert into alembic_version values ('0001');
create table instances (
  id int not null auto_increment primary key,
  uuid char(36) not null,
  host varchar(50) not null,
  state varchar(20) not null
);
insert into instances (uuid, host, state)
  select md5(seq), concat('host-', seq % 50), if(seq % 7, 'active', 'stopped') from seq_1_to_20000;
-- As old data has it: two rows that should have been one.
insert into instances (uuid, host, state) select uuid, host, 'deleted' from instances where id = 17;
