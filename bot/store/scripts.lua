-- Every change of state, each a named function that runs whole or not at all.
--
-- A function starts with a line `--- name(key, key, ...)`; the loader puts the prelude and the key names
-- in front of it. `a` is the caller's MessagePack table. Key names come from KEYS alone. Time is the
-- server's (`shift` is 0 outside of tests). The first value returned says how it went:
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

--- prelude
local a = cmsgpack.unpack(ARGV[1])
local t = redis.call('TIME')
local now = t[1] * 1000 + math.floor(t[2] / 1000) + a.shift
local function ms(n) return string.format('%.0f', n) end
local function push(list, one, two) list[#list + 1] = one; list[#list + 1] = two end

-- A lease that ran out still fences until somebody takes over: taking over raises the epoch.
local function is_owner()
  local l = redis.call('HMGET', K.lease, 'owner', 'epoch')
  return l[1] == a.owner and tonumber(l[2]) == a.epoch
end

-- A run as it stood before this function. A look costs one command however much it reads: look once, hand it on.
local function look()
  local r = redis.call('HMGET', K.run, 'n', 'op', 'status', 'trail', 'mail')
  return { key = K.run, count = tonumber(r[1]), op = r[2], status = r[3], trail = r[4], mail = tonumber(r[5] or 0) }
end

-- Where *run* is given, it finds its own lines again: their numbers are its trail.
local function audit(bodies, run)
  if not bodies or #bodies == 0 then return end
  local head = redis.call('HMGET', K.chain, 'seq', 'link')
  local seq, link = tonumber(head[1] or 0), head[2] or string.rep('0', 40)
  local first, lines = seq + 1, {}
  for i, body in ipairs(bodies) do
    seq = seq + 1
    local rest = ms(seq) .. ' ' .. ms(now)
    link = redis.sha1hex(link .. ' ' .. rest .. ' ' .. body)
    lines[i] = rest .. ' ' .. link .. ' ' .. body
  end
  redis.call('RPUSH', K.audit, unpack(lines))
  redis.call('HSET', K.chain, 'seq', ms(seq), 'link', link)
  if run and run.status then
    local part = ms(first) .. (seq > first and '-' .. ms(seq) or '')
    redis.call('HSET', run.key, 'trail', run.trail and run.trail .. ',' .. part or part)
  end
end

-- The doorbell rings once, when the function is over (link.py): for a run with its mail count, or just "look".
local rung = {}
local function ring(text) rung.bell, rung.text = K.bell, text end

local function mark(rows)
  if not rows or #rows == 0 then return end
  local stamp, scored = redis.call('HINCRBY', K.chain, 'out', #rows) - #rows, {}
  for i, row in ipairs(rows) do push(scored, stamp + i, row) end
  redis.call('ZADD', K.outbox, unpack(scored))
  ring(rung.text or '')
end

local function effects(e, run)
  audit(e.audit, run)
  for _, note in ipairs(e.notes or {}) do redis.call('HSET', K.notes, note[1], note[2]) end
  for _, timer in ipairs(e.timers or {}) do redis.call('ZADD', K.timers, timer[2], timer[1]) end
  if e.untime and #e.untime > 0 then redis.call('ZREM', K.timers, unpack(e.untime)) end
  mark(e.dirty)
end

local function is_live(status) return status == 'active' or status == 'waiting' or status == 'stopping' end

-- Nobody reads the mail of a run that has ended.
local function deliver_mail(run_id, run)
  if not is_live(run.status) then return 0 end
  local count = redis.call('HINCRBY', K.run, 'mail', 1)
  redis.call('ZADD', K.mail, 'NX', now, run_id)
  ring(run_id .. ' ' .. ms(count))
  return count
end

-- The owner's side of a run: count and op make the same write count once.
local function is_repeat(run) return run.op == a.op and run.count == a.count + #a.entries end

local function write_journal(run)
  local fields = { 'n', ms(a.count + #a.entries), 'op', a.op }
  local function set(name, value) if value then push(fields, name, value) end end
  set('status', a.status); set('line', a.line); set('doc', a.doc); set('told', a.told and ms(a.told))
  redis.call('HSET', K.run, unpack(fields))
  if a.status == 'active' then redis.call('SADD', K.active, a.run) end
  if a.status == 'waiting' then redis.call('SREM', K.active, a.run) end
  if a.seen and a.seen >= run.mail then redis.call('ZREM', K.mail, a.run) end
  if #a.entries == 0 then return redis.call('LLEN', K.journal) end
  return redis.call('RPUSH', K.journal, unpack(a.entries))
end

-- Tokens, steps and money of a day, in the step that spends them: a write that is repeated adds nothing.
local function count_spent(s)
  local names, sums, is_new = {}, {}, false
  for i, one in ipairs(s.add) do names[i] = one[1] end
  for i, before in ipairs(redis.call('HMGET', K.spent, unpack(names))) do
    is_new = is_new or not before
    push(sums, names[i], ms(tonumber(before or 0) + s.add[i][2]))
  end
  redis.call('HSET', K.spent, unpack(sums))
  if is_new then redis.call('EXPIRE', K.spent, s.keep) end
end

-- *dates* are the fields beside the record that this step sets.
local function put_request(key, id, r, dates)
  local fields = { 'doc', r.doc, 'status', r.status, 'v', r.v, 'due', r.due or '' }
  for _, copy in ipairs(r.copies or {}) do push(fields, 'c:' .. copy[1], copy[2]) end
  for name, value in pairs(dates or {}) do push(fields, name, ms(value)) end
  redis.call('HSET', key, unpack(fields))
  if r.status == 'open' then
    if redis.call('ZADD', K.open, 'NX', now, id) == 1 then
      redis.call('HINCRBY', K.asking, r.by, 1)
      for _, channel in ipairs(r.where) do redis.call('HINCRBY', K.placed, channel, 1) end
      if r.call ~= '' then redis.call('HSETNX', K.calls, r.call, id) end
    end
    if not r.outlives then redis.call('HSET', K.run, 'q:' .. id, '1') end -- else its run neither waits nor closes it
  else
    local was = redis.call('ZREM', K.open, id)
    if was == 1 and redis.call('HINCRBY', K.asking, r.by, -1) <= 0 then redis.call('HDEL', K.asking, r.by) end
    for _, channel in ipairs(was == 1 and r.where or {}) do
      if redis.call('HINCRBY', K.placed, channel, -1) <= 0 then redis.call('HDEL', K.placed, channel) end
    end
    if r.call ~= '' and redis.call('HGET', K.calls, r.call) == id then redis.call('HDEL', K.calls, r.call) end
    redis.call('HDEL', K.run, 'q:' .. id)
  end
end

-- The sealed record, and beside it what a use is judged by. `ends` stands still while people only use or revoke.
local function put_grant(g)
  redis.call('HSET', K.grant, 'doc', g.doc, 'v', g.v, 'used', g.used, 'most', g.most, 'ends', g.ends, 'over', g.over)
end

-- Judged by the server's clock and by the very revision the caller looked at: two for the last use, and one has it.
local function may_use(g)
  local was = redis.call('HMGET', K.grant, 'v', 'used', 'most', 'ends', 'over')
  if not was[1] or tonumber(was[1]) ~= tonumber(g.v) - 1 or tonumber(was[2]) ~= tonumber(g.used) - 1 then return false end
  return was[5] == '' and tonumber(was[2]) < tonumber(was[3]) and now < tonumber(was[4])
end

-- How many open requests a channel shows.
local function placed_in(channel) return channel and tonumber(redis.call('HGET', K.placed, channel) or '0') or 0 end

-- The open request that asks for exactly the same; nothing if there is none, or if it may be asked twice.
local function twin_of(r)
  local twin = r.call ~= '' and redis.call('HGET', K.calls, r.call)
  return twin ~= r.id and twin or nil
end

-- What stands on other shards, as the caller read it just before; nothing where it did not look (crowding.py).
local elsewhere = a.elsewhere or { asking = 0, placed = 0 }

-- How many letters its run had when a request was put to people, if any: what is older than a takeover begins nothing
-- after it.
local function heard(letters) return { heard = letters > 0 and letters or nil } end

-- A reply that nobody has taken in yet comes before a new question and before the end.
local function is_unheard() return a.known and redis.call('LLEN', K.inbox) > a.known end

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
local run = { key = K.run, status = 'active' }
redis.call('HSET', K.run, 'doc', a.doc, 'status', run.status, 'n', '0', 'mail', '0', 'line', a.line)
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
redis.call('HSET', K.run, 'status', 'stopping', 'line', a.told)
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
redis.call('HSET', K.chain, 'covered', ms(a.last), 'mac', a.mac)
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
