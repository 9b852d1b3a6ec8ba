-- Every change of state, each a named function that runs whole or not at all.
--
-- A function starts with a line `--- name(key, key, ...)`; the loader puts the key names and what it needs of
-- prelude.lua in front of it, and behind it what the prelude does last. `a` is the caller's MessagePack table. Key
-- names come from KEYS alone. Time is the server's (`shift` is 0 outside of tests). The first value returned says how
-- it went:
--   ok       done now
--   again    this very write was done before; nothing was done twice
--   stale    the caller no longer owns the shard
--   changed  what the caller computed from is no longer there
--   late     the deadline or window has passed        early    it has not passed yet
--   ended    the run has ended
--   full     whoever asked, or the channel, has as many open requests as there may be
--   twin     exactly the same waits for people already
--   unheard  the run has letters the caller has not seen
--   none     there is no such thing, or it allows nothing any more
--   taken    somebody took the run over since this was asked for
-- The last value is always the server's time in ms.

--- acquire(lease)
local l = redis.call('HMGET', K.lease, 'owner', 'epoch', 'until')
local epoch = tonumber(l[2] or 0)
if l[1] and l[1] ~= '' and l[1] ~= a.owner and tonumber(l[3]) > now then return { 'changed', 0, now } end
if l[1] ~= a.owner then epoch = epoch + 1 end
redis.call('HSET', K.lease, 'owner', a.owner, 'epoch', epoch, 'until', ms(now + a.ttl))
return { 'ok', epoch, now }

--- renew(lease)
local l = redis.call('HMGET', K.lease, 'owner', 'epoch')
if l[1] ~= a.owner or tonumber(l[2]) ~= a.epoch then return { 'stale', now } end
redis.call('HSET', K.lease, 'until', ms(now + a.ttl))
return { 'ok', now }

--- release(lease)
local l = redis.call('HMGET', K.lease, 'owner', 'epoch')
if l[1] == a.owner and tonumber(l[2]) == a.epoch then redis.call('HSET', K.lease, 'owner', '', 'until', '0') end
return { 'ok', now }

--- start(seen, thread, run, chain, audit, outbox, notes, timers, mail, active, recent, bell)
local before = redis.call('GET', K.seen)
if before then return { 'again', before, now } end
local current = redis.call('GET', K.thread) or ''
if current ~= a.replaces then return { 'changed', current, now } end
redis.call('SET', K.seen, a.run, 'EX', a.seen_ttl)
redis.call('SET', K.thread, a.run)
local run = { key = K.run, status = 'active', mail = 0 }
set(K.run, { doc = a.doc, status = run.status, n = '0', line = a.line })
redis.call('SADD', K.active, a.run)
redis.call('LPUSH', K.recent, a.run)
redis.call('LTRIM', K.recent, 0, a.recent - 1)
effects(a.effects, run)
deliver_mail(a.run, run)
return { 'ok', a.run, now }

--- tell(seen, run, inbox, chain, audit, outbox, notes, timers, mail, bell)
if redis.call('EXISTS', K.seen) == 1 then return { 'again', now } end
local run = look()
if run.status == 'stopping' or not is_live(run.status) then return { 'ended', now } end
if is_unheard() then return { 'unheard', now } end
redis.call('SET', K.seen, a.run, 'EX', a.seen_ttl)
redis.call('RPUSH', K.inbox, a.letter)
effects(a.effects, run)
deliver_mail(a.run, run)
return { 'ok', now }

--- stop(seen, run, chain, audit, outbox, notes, timers, mail, active, bell)
if redis.call('EXISTS', K.seen) == 1 then return { 'again', now } end
local run = look()
if not is_live(run.status) then return { 'ended', now } end
redis.call('SET', K.seen, a.run, 'EX', a.seen_ttl)
if run.status == 'stopping' then return { 'again', now } end
set(K.run, { status = 'stopping', line = a.told })
redis.call('SADD', K.active, a.run)
effects(a.effects, run)
deliver_mail(a.run, run)
return { 'ok', now }

--- append(lease, run, journal, inbox, thread, request, grant, spent, open, asking, calls, placed, chain, audit, outbox, notes, timers, mail, active, bell)
if not is_owner() then return { 'stale', 0, now } end
local run = look()
if is_repeat(run) then return { 'again', redis.call('LLEN', K.journal), now } end
if run.count ~= a.count or not is_live(run.status) then return { 'stale', 0, now } end
if run.status == 'stopping' and a.status ~= 'stopped' then
  if a.status and not is_live(a.status) then return { 'stale', 0, now } end -- a stop came first: end it as stopped
  a.status = nil
  a.line = nil -- it says who stopped it
end
if is_unheard() then return { 'unheard', 0, now } end
if a.uses and (run.status == 'stopping' or not may_use(a.uses)) then return { 'none', 0, now } end
if a.uses then put_grant(a.uses) end
if a.spends then count_spent(a.spends) end
local length = write_journal(run)
if a.request and redis.call('HGET', K.request, 'v') == ms(a.request.v - 1) then
  put_request(K.request, a.request.id, a.request)
end
if a.shows then a.effects.dirty = with_shown(K.request, a.shows, a.effects.dirty) end
effects(a.effects, run)
if a.status and not is_live(a.status) then
  redis.call('SREM', K.active, a.run)
  redis.call('ZREM', K.mail, a.run)
  if redis.call('GET', K.thread) == a.run then redis.call('EXPIRE', K.thread, a.keep) end
  for _, key in ipairs({ K.run, K.journal, K.inbox }) do redis.call('EXPIRE', key, a.keep) end
end
return { 'ok', length, now }

--- open(lease, run, journal, inbox, request, open, asking, calls, placed, chain, audit, outbox, notes, timers, mail, active, bell, others*)
if not is_owner() then return { 'stale', 0, now } end
local run = look()
if is_repeat(run) then return { 'again', redis.call('LLEN', K.journal), now } end
if run.count ~= a.count then return { 'stale', 0, now } end
if run.status == 'stopping' or not is_live(run.status) then return { 'ended', 0, now } end
if is_unheard() then return { 'unheard', 0, now } end
local asking = tonumber(redis.call('HGET', K.asking, a.request.by) or '0') + elsewhere.asking
if a.most and asking + 1 + #a.others > a.most then return { 'full', 'asking', now } end
local placed = placed_in(a.request.where[1]) + elsewhere.placed
if a.place_most and placed + 1 + #a.others > a.place_most then return { 'full', 'placed', now } end
local twin = a.is_single and (twin_of(a.request) or elsewhere.twin)
for _, other in ipairs(a.others) do twin = twin or a.is_single and twin_of(other) end
if twin then return { 'twin', twin, now } end
local length = write_journal(run)
local dates = heard(redis.call('LLEN', K.inbox))
put_request(K.request, a.request.id, a.request, dates)
for i, key in ipairs(K.others) do put_request(key, a.others[i].id, a.others[i], dates) end
effects(a.effects, run)
return { 'ok', length, now }

--- spend(lease, run, journal, inbox, request, open, asking, calls, placed, chain, audit, outbox, notes, timers, mail, active, bell)
if not is_owner() then return { 'stale', 0, now } end
local run = look()
if is_repeat(run) then return { 'again', redis.call('LLEN', K.journal), now } end
if run.count ~= a.count then return { 'stale', 0, now } end
if run.status == 'stopping' or not is_live(run.status) then return { 'ended', 0, now } end
local q = redis.call('HMGET', K.request, 'status', 'v', 'decided', 'heard')
if q[1] ~= 'approved' or tonumber(q[2]) ~= a.request.v - 1 then return { 'changed', 0, now } end
if now > tonumber(q[3]) + a.window then return { 'late', 0, now } end
if is_unheard() then return { 'unheard', 0, now } end -- somebody may have taken the run over: look, then start
if tonumber(q[4] or 0) < a.took then return { 'taken', 0, now } end -- asked for before they did: they may have done it
local length = write_journal(run)
put_request(K.request, a.request.id, a.request)
effects(a.effects, run)
return { 'ok', length, now }

--- turn(lease, seen, run, journal, inbox, request, other, grant, grants, open, asking, calls, placed, chain, audit, outbox, notes, timers, mail, bell)
if a.delivery ~= '' then
  local before = redis.call('GET', K.seen)
  if before then return { 'again', before, now } end
end
if a.epoch and not is_owner() then return { 'stale', '', now } end
local q = redis.call('HMGET', K.request, 'status', 'v', 'due')
if not q[1] or tonumber(q[2]) ~= a.request.v - 1 then return { 'changed', '', now } end
local due = tonumber(q[3] or '')
if a.is_expiry and (not due or now < due) then return { 'early', '', now } end
if a.is_answer and due and now >= due then return { 'late', '', now } end
local run = look()
local has_ended = run.status == 'stopping' or not is_live(run.status)
if a.is_answer and has_ended and not a.request.outlives then return { 'ended', '', now } end
local twin = a.is_single and a.opens and (twin_of(a.opens) or elsewhere.twin)
if twin then return { 'twin', twin, now } end
if a.place_most and placed_in(a.adds) + elsewhere.placed >= a.place_most then return { 'full', '', now } end
if a.letter and is_unheard() then return { 'changed', '', now } end
if a.letter then redis.call('RPUSH', K.inbox, a.letter) end
if a.delivery ~= '' then redis.call('SET', K.seen, a.answer, 'EX', a.seen_ttl) end
local is_over = a.request.status ~= 'open'
local dates = { decided = is_over and now or nil }
if is_over and a.request.outstays then dates.heard = redis.call('LLEN', K.inbox) end -- no takeover ended it: it counts
put_request(K.request, a.request.id, a.request, dates)
if a.adds ~= '' then redis.call('HINCRBY', K.placed, a.adds, 1) end
if a.opens then -- as old as what it takes the place of
  put_request(K.other, a.opens.id, a.opens, heard(tonumber(redis.call('HGET', K.request, 'heard') or 0)))
end
if #a.shared > 0 and redis.call('EXISTS', K.other) == 1 then -- the sheet it stands on
  for _, copy in ipairs(a.shared) do redis.call('HSETNX', K.other, 'c:' .. copy[1], copy[2]) end
end
if a.gives then
  put_grant(a.gives)
  redis.call('EXPIRE', K.grant, math.max(math.ceil((tonumber(a.gives.ends) - now) / 1000), 0) + a.keep)
  redis.call('ZREMRANGEBYSCORE', K.grants, '-inf', now)
  redis.call('ZADD', K.grants, a.gives.ends, a.gives.member)
end
effects(a.effects, run)
local mail = 0
if is_over then redis.call('EXPIRE', K.request, a.keep) end
if #a.entries > 0 then -- what outlives its run tells it nothing: the run's keys may be gone, and must stay so
  redis.call('RPUSH', K.journal, unpack(a.entries))
  mail = deliver_mail(a.run, run)
end
return { 'ok', mail, now }

--- revoke(seen, grant, grants, run, chain, audit, outbox, notes, timers, bell)
if redis.call('EXISTS', K.seen) == 1 then return { 'again', now } end
local was = redis.call('HMGET', K.grant, 'v', 'over')
if tonumber(was[1] or '') ~= tonumber(a.grant.v) - 1 or was[2] ~= '' then return { 'changed', now } end
redis.call('SET', K.seen, a.grant.id, 'EX', a.seen_ttl)
put_grant(a.grant)
redis.call('ZREM', K.grants, a.grant.member)
local run = look()
effects(a.effects, run)
return { 'ok', now }

--- log(chain, audit)
audit(a.bodies)
return { 'ok', now }

--- leave(seen, away, chain, audit)
local before = redis.call('GET', K.seen)
if before then return { 'again', before, now } end
if a['until'] <= now or a['until'] > now + a.most then return { 'late', '', now } end
redis.call('SET', K.seen, a.answer, 'EX', a.seen_ttl)
redis.call('HSET', K.away, a.person, a.record)
audit(a.bodies)
return { 'ok', '', now }

--- come_back(seen, away, chain, audit)
local before = redis.call('GET', K.seen)
if before then return { 'again', before, now } end
local was = redis.call('HGET', K.away, a.person)
if not was or (a.was ~= '' and was ~= a.was) then return { 'none', '', now } end
local ends = tonumber(string.match(was, '^%d+') or '')
if a.was ~= '' and ends and ends > now then return { 'early', '', now } end
redis.call('SET', K.seen, a.answer, 'EX', a.seen_ttl)
redis.call('HDEL', K.away, a.person)
audit(a.bodies)
return { 'ok', '', now }

--- checkpoint(lease, chain, audit)
if not is_owner() then return { 'stale', now } end
if tonumber(redis.call('HGET', K.chain, 'covered') or 0) ~= a.first - 1 then return { 'changed', now } end
audit(a.bodies)
set(K.chain, { covered = ms(a.last), mac = a.mac })
return { 'ok', now }

--- due(lease, timers, failing)
if not is_owner() then return { 'stale', now } end
local due = redis.call('ZRANGEBYSCORE', K.timers, '-inf', now, 'WITHSCORES', 'LIMIT', 0, a.most)
local found, has_failed = {}, redis.call('EXISTS', K.failing) == 1
for i = 1, #due, 2 do
  redis.call('ZADD', K.timers, now + a.hidden, due[i])
  local tries = has_failed and redis.call('ZSCORE', K.failing, due[i]) or '0'
  for _, value in ipairs({ due[i], due[i + 1], tries }) do table.insert(found, value) end
end
table.insert(found, now)
return found

--- failed(lease, timers, failing)
if not is_owner() then return { 'stale', 0, now } end
if not redis.call('ZSCORE', K.timers, a.name) then return { 'none', 0, now } end
local tries = tonumber(redis.call('ZINCRBY', K.failing, 1, a.name))
redis.call('ZADD', K.timers, now + a.waits[math.min(tries, #a.waits)], a.name)
return { 'ok', tries, now }

--- late(timers, failing)
local before, has_failed = now - a.by, redis.call('EXISTS', K.failing) == 1
local late = redis.call('ZCOUNT', K.timers, '-inf', ms(before))
if not has_failed then return { late, now } end
redis.call('ZINTERSTORE', K.failing, 2, K.failing, K.timers, 'WEIGHTS', 1, 0) -- what was taken down fails no more
for _, name in ipairs(redis.call('ZRANGEBYSCORE', K.failing, a.tries, '+inf')) do
  if tonumber(redis.call('ZSCORE', K.timers, name)) > before then late = late + 1 end
end
return { late, now }

--- posted(lease, holder, chain, audit, outbox, notes, timers, bell)
if not is_owner() then return { 'stale', now } end
if a.field ~= '' and redis.call('EXISTS', K.holder) == 1 then redis.call('HSET', K.holder, a.field, a.value) end
local stamp = redis.call('ZSCORE', K.outbox, a.row)
if stamp and tonumber(stamp) == a.stamp then
  redis.call('ZREM', K.outbox, a.row)
  if a.note ~= '' then redis.call('HDEL', K.notes, a.note) end
end
effects(a.effects)
return { 'ok', now }

--- again(chain, outbox, bell)
local rows = a.rows
if a.unless_marked then -- what waits to be shown keeps its place in line
  rows = {}
  for _, row in ipairs(a.rows) do
    if not redis.call('ZSCORE', K.outbox, row) then rows[#rows + 1] = row end
  end
end
mark(rows)
return { 'ok', now }

--- beat(processes)
redis.call('ZADD', K.processes, now + a.ttl, a.owner)
redis.call('ZREMRANGEBYSCORE', K.processes, '-inf', now)
return { redis.call('ZCARD', K.processes), now }
