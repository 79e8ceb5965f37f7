-- What the console asks: the clocks of one day, and how many events came in the last minutes.
create index deadline_started on deadline (started_at);
create index timeline_recorded on timeline using brin (recorded_at);
