-- Who has gone quiet, as the process `flow` found last: the console tells it without computing it again.

alter table rhythm add column silent boolean not null default false;
create index rhythm_silent on rhythm (last_at) where silent;
